"use strict";
// Private keys in all the forms that people have, as one line of JSON:  node keys.js PASSPHRASE

const { generateKeyPairSync } = require("crypto");

const passphrase = process.argv[2];

/** The PEM forms of a key; `own` is the form that its algorithm had before PKCS#8. */
function forms(privateKey, own) {
  const pem = (options) => privateKey.export({ format: "pem", ...options });
  const der = (name, type) => ({ [name]: privateKey.export({ format: "der", type }).toString("base64") });
  const cipher = "aes-256-cbc";
  return {
    pkcs8: pem({ type: "pkcs8" }),
    own: pem({ type: own }),
    ...der("pkcs8Der", "pkcs8"),
    ...der("ownDer", own),
    encrypted: pem({ type: "pkcs8", cipher, passphrase }),
    oldEncryption: pem({ type: own, cipher, passphrase }),
  };
}

const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
const ec = generateKeyPairSync("ec", { namedCurve: "prime256v1" }).privateKey;
process.stdout.write(JSON.stringify({ rsa: forms(rsa, "pkcs1"), ec: forms(ec, "sec1") }));
