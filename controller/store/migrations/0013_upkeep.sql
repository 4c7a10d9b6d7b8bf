-- What was written and never read, and what long lists of deliveries need.

-- Rules are in the document of the baseline; changes of tailorings are in the activity log.
DROP TABLE baseline_rule;
DROP TABLE tailoring_change;
-- Labels are matched in the memory of controllers.
DROP INDEX host_labels;

-- Deliveries of one channel, newest first, and of a channel that goes.
CREATE INDEX notification_delivery_channel ON notification_delivery (channel_id, created DESC, id DESC);
