import { Option } from "commander";

/** Options that every command has. */
export function commonOptions(): Option[] {
  return [
    new Option(
      "-c, --config <file>",
      "the configuration file; otherwise ./memkeep.yaml and the usual places",
    ),
    new Option(
      "-r, --repository <name|url>",
      "the repository: a name in the configuration, a path, or a URL",
    ),
    new Option("--stack <name>", "the stack, where a repository holds several"),
    new Option("--retry-lock <duration>", "wait that long while others hold the repository, such as 5m"),
    new Option(
      "--cache-size <size>",
      "keep at most so much of repositories far away here, such as 1GB; 0: nothing",
    ),
    new Option("--json", "print the result as JSON"),
    new Option("-q, --quiet", "print only what was asked for, and what is wrong"),
    new Option("-v, --verbose", "tell every step, and more about errors"),
    new Option("--no-color", "no colours (as NO_COLOR)"),
  ];
}
