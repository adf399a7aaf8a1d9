#!/usr/bin/env node
// Plain JavaScript that an old Node understands too, so that it can say what is missing.
import { existsSync } from "node:fs";
import * as nodeModule from "node:module";
import { join } from "node:path";

const major = Number(process.versions.node.split(".")[0]);
if (major < 24) {
  process.stderr.write(
    "memkeep needs Node 24 or newer; this is Node " +
      process.versions.node +
      " (" +
      process.execPath +
      ").\nInstall it from https://nodejs.org, or run memkeep with `npx -p node@24 -p memkeep memkeep`.\n",
  );
  process.exit(2);
}
// Compiled code is kept for the next start. In the user's own folder: whoever could write it could run as this user, and Node's
// default lies below the folder for temporary files, which all users share.
const { XDG_CACHE_HOME, HOME } = process.env;
const cache = XDG_CACHE_HOME || (HOME && join(HOME, ".cache"));
if (cache) nodeModule.enableCompileCache(join(cache, "memkeep", "compiled"));
// A checkout has the source, which Node 24 runs as it is (compiled files in it may be old); an installed package only those.
const source = new URL("../src/cli/main.ts", import.meta.url);
await import(existsSync(source) ? source.href : "../dist/cli/main.js");
