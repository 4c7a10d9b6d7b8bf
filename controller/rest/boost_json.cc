// Boost.JSON, compiled here once: Debian ships it without an archive.
#include <boost/json/src.hpp>
