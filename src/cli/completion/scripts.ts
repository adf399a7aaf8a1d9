/** The scripts that shells load. Each asks `memkeep complete` for the words; the last line says whether files fit too. */

export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

/** The line of `memkeep complete` after which no candidate comes. */
export const filesMark = ":files";
export const noFilesMark = ":nofiles";

export const scripts: Readonly<Record<Shell, string>> = {
  bash: `# memkeep completion for bash: source it, or put it into /etc/bash_completion.d/memkeep
_memkeep() {
  local line files=0 word="\${COMP_WORDS[COMP_CWORD]}"
  COMPREPLY=()
  while IFS= read -r line; do
    case "$line" in
      ${filesMark}) files=1 ;;
      ${noFilesMark}) ;;
      *) line="\${line%%$'\\t'*}"; [[ "$line" == "$word"* ]] && COMPREPLY+=("$line") ;;
    esac
  done < <("\${COMP_WORDS[0]}" complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  if ((files)); then
    while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$word")
    compopt -o filenames 2>/dev/null
  fi
}
complete -F _memkeep memkeep`,
  zsh: `#compdef memkeep
# memkeep completion for zsh: put it as _memkeep into a folder of $fpath, or source it after compinit
_memkeep() {
  local line
  local -a found
  local -i files=0
  for line in "\${(@f)$("\${words[1]}" complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    case "$line" in
      ${filesMark}) files=1 ;;
      ${noFilesMark}|'') ;;
      *) found+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}") ;;
    esac
  done
  (( \${#found} )) && _describe memkeep found
  (( files )) && _files
}
if [ "$funcstack[1]" = "_memkeep" ]; then _memkeep; else compdef _memkeep memkeep; fi`,
  fish: `# memkeep completion for fish: put it as memkeep.fish into ~/.config/fish/completions
function __memkeep_words
  set -l words (commandline -opc) (commandline -ct)
  $words[1] complete -- $words[2..-1] 2>/dev/null
end
complete -c memkeep -f
complete -c memkeep -a '(__memkeep_words | string match -v -r "^:")'
complete -c memkeep -n '__memkeep_words | string match -q ${filesMark}' -F`,
};
