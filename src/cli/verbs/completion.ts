import { messageOf } from "../../base/errors.ts";
import type { Command } from "../command.ts";
import { commands } from "../commands.ts";
import { complete } from "../complete.ts";

/** Bits of the number that ends an answer of `__complete`, as Cobra's programs have them. */
const noSpace = 2;
const noFiles = 4;

/** What the shells' functions call: the words up to the cursor; the last may be empty. */
export const answer: Command = {
  usage: "[WORD...]",
  args: { least: 0 },
  flags: [],
  raw: true,
  async run(context, _flags, words) {
    const verb = words[0] ?? "";
    if (words.length > 1 && !commands.some((entry) => entry.name === verb)) {
      const { becomePlugin, findPlugin } = await import("../plugins.ts");
      const plugin = findPlugin(context.configuration(), verb);
      if (plugin !== undefined) return becomePlugin(context, plugin, ["__complete", ...words]);
    }
    let lines = "";
    let directive = noFiles;
    try {
      const found = await complete(context, commands, words);
      lines = found.candidates.map(({ value, description }) => `${value}${description === undefined ? "" : `\t${description}`}\n`).join("");
      directive = (found.noSpace === true ? noSpace : 0) + (found.noFiles ? noFiles : 0);
    } catch (error) {
      context.err(`${messageOf(error)}\n`);
    }
    context.out(`${lines}:${directive}\n`);
    return 0;
  },
};

const bash = `# Completes berth's commands, flags and names. Load it with: source <(berth completion bash)
_berth() {
    local line=\${COMP_LINE:0:COMP_POINT} words=() reply=() directive current candidate prefix at
    read -ra words <<<"$line"
    if [[ $line == *[[:space:]] ]]; then words+=(""); fi
    current=\${words[\${#words[@]}-1]}
    mapfile -t reply < <("\${words[0]}" __complete "\${words[@]:1}" 2>/dev/null)
    if ((\${#reply[@]} == 0)); then return; fi
    at=$((\${#reply[@]} - 1))
    directive=\${reply[at]#:}
    unset "reply[at]"
    COMPREPLY=()
    for candidate in "\${reply[@]}"; do COMPREPLY+=("\${candidate%%$'\\t'*}"); done
    if ((directive & ${noSpace})); then compopt -o nospace; fi
    if ((!(directive & ${noFiles}))); then
        while IFS= read -r candidate; do COMPREPLY+=("$candidate"); done < <(compgen -f -- "$current")
    fi
    # Readline replaces only what stands behind the last of these.
    if [[ $current == *[:=]* ]]; then
        prefix=\${current%"\${current##*[:=]}"}
        for at in "\${!COMPREPLY[@]}"; do COMPREPLY[at]=\${COMPREPLY[at]#"$prefix"}; done
    fi
}
complete -F _berth berth
`;

const zsh = `#compdef berth
# Completes berth's commands, flags and names. Load it with: source <(berth completion zsh)
_berth() {
    local -a reply candidates options
    local line value directive
    reply=("\${(@f)$("\${words[1]}" __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
    directive=\${reply[-1]#:}
    for line in "\${(@)reply[1,-2]}"; do
        value=\${line%%$'\\t'*}
        candidates+=("\${value//:/\\\\:}\${\${line#$value}/$'\\t'/:}")
    done
    if ((directive & ${noSpace})); then options=(-S ''); fi
    if ((\${#candidates})); then _describe berth candidates $options; fi
    if ((!(directive & ${noFiles}))); then _files; fi
}
compdef _berth berth
`;

const fish = `# Completes berth's commands, flags and names. Load it with: berth completion fish | source
function __berth_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l reply (command $words[1] __complete $words[2..-1] "$current" 2>/dev/null)
    set -l directive (string replace : '' -- $reply[-1])
    for line in $reply[1..-2]
        echo $line
    end
    if test (math "bitand($directive, ${noFiles})") -eq 0
        __fish_complete_path "$current"
    end
end
complete -c berth -f -a '(__berth_complete)'
`;

const printed = (script: string): Command => ({
  usage: "",
  args: { least: 0, most: 0 },
  flags: [],
  run: async (context) => {
    context.out(script);
    return 0;
  },
});

export const bashScript: Command = printed(bash);
export const zshScript: Command = printed(zsh);
export const fishScript: Command = printed(fish);
