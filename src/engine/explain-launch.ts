import { EngineError, messageOf } from "../base/base.ts";
import { launchFailureOf } from "../kernel/launch-failure.ts";
import { explainFailure } from "../runtime/explain-failure.ts";

/** The exit code that Docker records for a start that failed for another reason than the program. */
const launchFailedCode = 128;

/**
 * A failed start or exec in Docker's words, with the exit code to record: 126 or 127 by the program's fault, 128 by
 * that of the launch.
 * @param otherwise the code for a failure before the launch
 */
export function explain(error: unknown, otherwise: number): { readonly error: EngineError; readonly exitCode: number } {
  const failure = launchFailureOf(error);
  if (failure !== undefined) {
    const { status, message, exitCode } = explainFailure(failure);
    return { error: new EngineError(status, message, { cause: error }), exitCode: exitCode === 125 ? launchFailedCode : exitCode };
  }
  const known = error instanceof EngineError ? error : new EngineError("System", messageOf(error), { cause: error });
  return { error: known, exitCode: otherwise };
}
