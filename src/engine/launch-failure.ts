import { EngineError, messageOf } from "../base/base.ts";
import type { LaunchFailure } from "../kernel/kernel.ts";
import type { ExplainFailure } from "../runtime/runtime.ts";

/** The exit code that Docker records for a start that failed for another reason than the program. */
const startFailedCode = 128;

function launchFailureOf(error: unknown): LaunchFailure | undefined {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    const inner: unknown = cause.cause;
    if (typeof inner === "object" && inner !== null && "stage" in inner && "errno" in inner && "message" in inner)
      return inner as LaunchFailure;
  }
  return undefined;
}

/** A failed start (`explainFailure`) or exec (`explainExecFailure`) in Docker's words, with the exit code to record: 126, 127, or 128 for all else. */
export function explain(error: unknown, inWords: ExplainFailure): { readonly error: EngineError; readonly exitCode: number } {
  const failure = launchFailureOf(error);
  if (failure !== undefined) {
    const explained = inWords(failure);
    const exitCode = explained.exitCode === 125 ? startFailedCode : explained.exitCode;
    return { error: new EngineError(explained.status, explained.message, { cause: error }), exitCode };
  }
  const known = error instanceof EngineError ? error : new EngineError("System", messageOf(error), { cause: error });
  return { error: known, exitCode: startFailedCode };
}
