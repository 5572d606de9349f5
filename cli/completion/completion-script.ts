/** Completion scripts, written from the command tree itself: they know no word that the commands do not. */
import type { Command } from "commander";
import { type CommandLevel, commandLevels, type OptionWords, type Shell } from "./command-tree.ts";

/** The script of a shell; it completes commands, options and closed sets of values, and file names elsewhere. */
export function completionScript(shell: Shell, program: Command): string {
  const levels = commandLevels(program);
  switch (shell) {
    case "bash":
      return bash(levels);
    case "zsh":
      return zsh(levels);
    case "fish":
      return fish(levels);
  }
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

const childPaths = (levels: readonly CommandLevel[]): string[] => levels.map((level) => level.path).filter((path) => path !== "");

const valued = (level: CommandLevel): readonly OptionWords[] => level.options.filter((option) => option.takesValue);

/** Finds the level of the command tree that the words before the cursor have reached: the same in bash and zsh. */
function findLevel(levels: readonly CommandLevel[], before: string): string {
  return `  local level="" word
  for word in ${before}; do
    case "\${level:+$level }$word" in
${childPaths(levels)
  .map((path) => `      ${quoted(path)}) level=${quoted(path)} ;;`)
  .join("\n")}
    esac
  done`;
}

/** `level|option` of options whose values are a closed set. */
function choiceCases(levels: readonly CommandLevel[], say: (words: readonly string[]) => string, otherwise: string): string {
  return levels
    .flatMap((level) =>
      valued(level).map((option) => {
        const patterns = option.words.map((word) => quoted(`${level.path}|${word}`)).join("|");
        return `    ${patterns}) ${option.choices.length > 0 ? say(option.choices) : otherwise}; return ;;`;
      }),
    )
    .join("\n");
}

const wordsOf = (level: CommandLevel): string[] => [...level.subcommands.map(({ word }) => word), ...level.choices];
const optionsOf = (level: CommandLevel): string[] => level.options.flatMap((option) => [...option.words]);

function bash(levels: readonly CommandLevel[]): string {
  const reply = (words: readonly string[]): string => `COMPREPLY=($(compgen -W ${quoted(words.join(" "))} -- "$current"))`;
  return `# bash completion of seawall; use: source <(seawall completion bash)
_seawall() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}"
${findLevel(levels, '"${COMP_WORDS[@]:1:COMP_CWORD-1}"')}
  case "$level|$previous" in
${choiceCases(levels, reply, "COMPREPLY=()")}
  esac
  case "$level" in
${levels
  .map((level) => {
    const options = reply(optionsOf(level));
    const words = wordsOf(level);
    const other = words.length > 0 ? reply(words) : "COMPREPLY=()";
    return `    ${quoted(level.path)}) if [[ $current == -* ]]; then ${options}; else ${other}; fi ;;`;
  })
  .join("\n")}
  esac
}
complete -o default -F _seawall seawall
`;
}

function zsh(levels: readonly CommandLevel[]): string {
  const described = (words: readonly { readonly word: string; readonly help: string }[]): string =>
    words.map(({ word, help }) => quoted(`${word.replaceAll(":", "\\:")}:${help}`)).join(" ");
  return `#compdef seawall
# zsh completion of seawall; use: seawall completion zsh > "\${fpath[1]}/_seawall"
_seawall() {
  local current="\${words[CURRENT]}" previous="\${words[CURRENT-1]}"
  local -a found
${findLevel(levels, '"${(@)words[2,CURRENT-1]}"')}
  case "$level|$previous" in
${choiceCases(levels, (words) => `compadd -- ${words.map(quoted).join(" ")}`, "_files")}
  esac
  case "$level" in
${levels
  .map((level) => {
    const options = described(level.options.flatMap((option) => option.words.map((word) => ({ word, help: option.help }))));
    const words = [...level.subcommands, ...level.choices.map((word) => ({ word, help: "" }))];
    const other = words.length > 0 ? `found=(${described(words)}); _describe word found` : "_files";
    return `    ${quoted(level.path)}) if [[ $current == -* ]]; then found=(${options}); _describe option found; else ${other}; fi ;;`;
  })
  .join("\n")}
  esac
}
if [ "$funcstack[1]" = "_seawall" ]; then _seawall "$@"; else compdef _seawall seawall; fi
`;
}

function fish(levels: readonly CommandLevel[]): string {
  const lines = levels.flatMap((level) => {
    const at = `complete -c seawall -n ${quoted(`__seawall_at ${quoted(level.path)}`)}`;
    return [
      ...level.subcommands.map(({ word, help }) => `${at} -f -a ${quoted(word)} -d ${quoted(help)}`),
      ...(level.choices.length > 0 ? [`${at} -f -a ${quoted(level.choices.join(" "))}`] : []),
      ...level.options.map((option) => {
        const names = option.words.map((word) => (word.startsWith("--") ? `-l ${word.slice(2)}` : `-s ${word.slice(1)}`)).join(" ");
        const value = !option.takesValue ? "" : option.choices.length > 0 ? ` -x -a ${quoted(option.choices.join(" "))}` : " -r";
        return `${at} ${names}${value} -d ${quoted(option.help)}`;
      }),
    ];
  });
  return `# fish completion of seawall; use: seawall completion fish > ~/.config/fish/completions/seawall.fish
function __seawall_at
  set -l level ""
  for word in (commandline -opc)[2..-1]
    switch (string trim "$level $word")
      case ${childPaths(levels).map(quoted).join(" ")}
        set level (string trim "$level $word")
    end
  end
  test "$level" = "$argv[1]"
end
${lines.join("\n")}
`;
}
