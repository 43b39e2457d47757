// Reads { token, jwks, now } and says whether the token verifies with the key set at that
// time (seconds since 1970), or why it does not.
import { readFileSync } from "node:fs";
import { createLocalJWKSet, jwtVerify } from "jose";

const { token, jwks, now } = JSON.parse(readFileSync(0, "utf8"));
try {
  const options = { currentDate: new Date(now * 1000), issuer: "orders", audience: "shop", requiredClaims: ["iat", "nbf", "exp"] };
  const { payload, protectedHeader } = await jwtVerify(token, createLocalJWKSet(jwks), options);
  console.log(JSON.stringify({ verified: true, header: protectedHeader, claims: payload }));
} catch (error) {
  console.log(JSON.stringify({ verified: false, code: error.code ?? String(error) }));
}
