import type { Context } from "./command.ts";

/** The first line of standard input, or what there is of it. */
async function readLine(): Promise<string> {
  let text = "";
  for await (const chunk of process.stdin) {
    text += String(chunk);
    if (text.includes("\n")) break;
  }
  return text.split("\n")[0] ?? "";
}

/** Asks a person before something is lost: only `y` means yes. */
export async function confirm(context: Context, warning: string): Promise<boolean> {
  context.out(`${warning}\nAre you sure you want to continue? [y/N] `);
  const answer = await readLine();
  return answer.trim().toLowerCase() === "y";
}
