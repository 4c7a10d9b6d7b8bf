// provider.mjs SETTINGS: an OpenID Connect provider over HTTPS, with keys of its own for every start. SETTINGS is JSON:
// port, key, certificate (files), redirectUri, clientSecret, algorithm, thinTokens (what is not needed stands in the user
// information only), people (a file, read at every sign-in: {"login": {"groups": [...], ...}}).
import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import Provider from "oidc-provider";

const settings = JSON.parse(process.argv[2]);
const jwk = (type, options, alg) => ({
  ...generateKeyPairSync(type, options).privateKey.export({ format: "jwk" }), use: "sig", alg,
});

const provider = new Provider(`https://localhost:${settings.port}`, {
  clients: [{
    client_id: "plimsoll",
    client_secret: settings.clientSecret,
    redirect_uris: [settings.redirectUri],
    id_token_signed_response_alg: settings.algorithm,
  }],
  jwks: { keys: [jwk("rsa", { modulusLength: 2048 }, "RS256"), jwk("ec", { namedCurve: "P-256" }, "ES256")] },
  cookies: { keys: ["only a test"] },
  claims: { openid: ["sub"], profile: ["preferred_username", "groups"], email: ["email"] },
  conformIdTokenClaims: settings.thinTokens,
  async findAccount(_, id) {
    const person = JSON.parse(readFileSync(settings.people, "utf8"))[id];
    return person && { accountId: id, claims: async () => ({ sub: `subject-of-${id}`, ...person }) };
  },
});
const files = { key: readFileSync(settings.key), cert: readFileSync(settings.certificate) };
createServer(files, provider.callback()).listen(settings.port, "localhost", () => console.log("listening"));
