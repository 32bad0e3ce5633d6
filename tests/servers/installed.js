"use strict";
// Exits with 0 if `node_modules` holds the versions that `package-lock.json` names, else with 1.

const { packages: wanted } = require("./package-lock.json");

function found() {
  try {
    // npm's own record of what it has installed.
    return require("./node_modules/.package-lock.json").packages;
  } catch {
    return {};
  }
}

const installed = found();
const isThere = ([path, { version, optional }]) => path === "" || optional || installed[path]?.version === version;
process.exit(Object.entries(wanted).every(isThere) ? 0 : 1);
