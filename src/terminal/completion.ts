/** `treehouse completion`: what a shell is to know of the verbs, made from the commands themselves. */
import { Argument, type Command, type Option } from 'commander';

export const SHELLS = ['bash', 'zsh'] as const;
export type Shell = (typeof SHELLS)[number];

export function completionCommand(program: Command, print: (text: string) => void): void {
  program
    .command('completion')
    .addArgument(new Argument('<shell>', 'which shell').choices(SHELLS))
    .description('what makes the shell complete verbs, options and previews: source <(treehouse completion bash)')
    .action((shell: Shell) => print(completionScript(program, shell)));
}

/** A script without a trailing line end. zsh reads that of bash, by a part of its own that is made for it. */
export function completionScript(program: Command, shell: Shell): string {
  const name = program.name();
  const all = commandsBelow(program, '');
  const script = `${shell === 'zsh' ? '(( $+functions[compdef] )) || { autoload -U +X compinit && compinit; }\nautoload -U +X bashcompinit && bashcompinit\n' : ''}\
# Completion for ${name}: source <(${name} completion ${shell})
_${name}() {
  local current=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} at= place=0 skip= word index
  COMPREPLY=()
  for ((index = 1; index < COMP_CWORD; index++)); do
    word=\${COMP_WORDS[index]}
    if [ -n "$skip" ]; then skip=; continue; fi
    case "$at $word" in
      *' --') return ;;
${valued(all)}
      *' -'*) ;;
${descents(all)}
      *) place=$((place + 1)) ;;
    esac
  done
  case "$at $before" in
${optionChoices(all)}
  esac
  local words= previews=
  case "$at" in
${all.map(wordsOf).join('\n')}
  esac
  if [ -n "$previews" ]; then words="$words $(${name} status --quiet 2>/dev/null | tr -cd 'a-z0-9\\n-')"; fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _${name} ${name}`;
  return script.replaceAll(/^\s*\n/gm, '');
}

interface Below {
  /** Its words, each after a space: ` token create`. */
  readonly path: string;
  readonly command: Command;
}

function commandsBelow(command: Command, path: string): readonly Below[] {
  return [{ path, command }, ...command.commands.flatMap((one) => commandsBelow(one, `${path} ${one.name()}`))];
}

const flagsOf = (option: Option) => [option.long, option.short].filter((one) => one !== undefined && one !== null);

/** Options whose next word is their own; those of the program go with every verb. */
function valued(all: readonly Below[]): string {
  const patterns = all.flatMap(({ path, command }) =>
    command.options
      .filter((one) => one.required || one.optional)
      .flatMap(flagsOf)
      .map((flag) => (path === '' ? `*' ${flag}'` : quoted(`${path} ${flag}`))),
  );
  return patterns.length === 0 ? '' : `      ${patterns.join('|')}) skip=1 ;;`;
}

function descents(all: readonly Below[]): string {
  return all.flatMap(({ path }) => (path === '' ? [] : [`      ${quoted(path)}) at=${quoted(path)} ;;`])).join('\n');
}

function optionChoices(all: readonly Below[]): string {
  const lines = all.flatMap(({ path, command }) =>
    command.options
      .filter((one) => one.required || one.optional)
      .map((one) => {
        const patterns = flagsOf(one).map((flag) => (path === '' ? `*' ${flag}'` : quoted(`${path} ${flag}`)));
        // Without choices it is a file, or something of which the shell knows nothing.
        const what = one.argChoices
          ? `COMPREPLY=($(compgen -W ${quoted(one.argChoices.join(' '))} -- "$current")); `
          : '';
        return `    ${patterns.join('|')}) ${what}return ;;`;
      }),
  );
  return lines.join('\n');
}

function wordsOf({ path, command }: Below): string {
  const words = command.commands.map((one) => one.name());
  const options = [...command.options.flatMap((one) => (one.long ? [one.long] : [])), '--help'];
  const places = command.registeredArguments.flatMap((one, index) => {
    if (one.argChoices) return [`${index}) words=${quoted(one.argChoices.join(' '))} ;;`];
    return one.name() === 'preview' ? [`${index}) previews=1 ;;`] : [];
  });
  const inPlace = places.length === 0 ? '' : ` case $place in ${places.join(' ')} esac;`;
  const own = words.length === 0 ? '' : ` words=${quoted(words.join(' '))};`;
  return `    ${quoted(path)})${own}${inPlace} case $current in -*) previews= words=${quoted(options.join(' '))} ;; esac ;;`;
}

/** For a shell; what is quoted are names of commands, options and choices. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
