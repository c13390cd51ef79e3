/** Where Berth does not answer as Docker 26.1 does, and why. A line that is no longer needed fails the test. */
import type { AllowedDifference } from "./compare.ts";

export const allowed: readonly AllowedDifference[] = [];
