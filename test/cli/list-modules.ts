/** Preloaded with `--import`: lists what the program loads on standard error, one `loaded URL` a line. */
import { registerHooks } from "node:module";

registerHooks({
  load(url, context, nextLoad) {
    process.stderr.write(`loaded ${url}\n`);
    return nextLoad(url, context);
  },
});
