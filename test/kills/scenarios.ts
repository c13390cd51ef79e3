import { collections } from "./collections.ts";
import { loads } from "./loads.ts";
import { makings } from "./makings.ts";
import { platforms } from "./platforms.ts";
import { pulls } from "./pulls.ts";
import { pushes } from "./pushes.ts";
import { removals } from "./removals.ts";
import type { Scenario } from "./scenario.ts";

/** The last one empties the registry. */
export const scenarios: readonly Scenario[] = [pulls, pushes, loads, ...platforms, ...removals, makings, collections];
