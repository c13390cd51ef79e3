import { messageOf } from "../base/errors.ts";
import { type Context, ExitError } from "./command.ts";

/**
 * Does the same to several objects at once. Prints the name of each that worked, in the order asked for;
 * the failures together at the end.
 * @throws ExitError when any failed
 */
export async function eachTarget(
  context: Context,
  names: readonly string[],
  work: (name: string) => Promise<string | undefined>,
): Promise<number> {
  const started = names.map((name) =>
    work(name).then(
      (text) => ({ text }),
      (error: unknown) => ({ error }),
    ),
  );
  const failures: string[] = [];
  for (const one of started) {
    const result = await one;
    if ("error" in result) failures.push(messageOf(result.error));
    else if (result.text !== undefined) context.out(`${result.text}\n`);
  }
  if (failures.length > 0) throw new ExitError(1, failures.join("\n"));
  return 0;
}
