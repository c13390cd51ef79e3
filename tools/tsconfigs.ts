/** Writes each room's tsconfig.json and the root's from the room table. Run it after a change of tools/rooms.ts. */
import { existsSync, writeFileSync } from "node:fs";
import { allowed, outside, tiers } from "./rooms.ts";

const rooms = [...Object.keys(tiers), ...Object.keys(outside)].filter((room) => existsSync(`src/${room}`));
const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

for (const room of rooms) {
  const references = allowed(room)
    .filter((other) => rooms.includes(other))
    .map((other) => ({ path: `../${other}` }));
  writeFileSync(`src/${room}/tsconfig.json`, json({ extends: "../../tsconfig.base.json", include: ["."], references }));
}
writeFileSync(
  "tsconfig.json",
  json({
    files: [],
    references: [
      ...rooms.map((room) => ({ path: `src/${room}` })),
      { path: "test" },
      { path: "tools" },
      { path: "bench" },
      { path: "fuzz" },
    ],
  }),
);
for (const folder of ["test", "tools", "bench", "fuzz"]) {
  const references = folder === "tools" ? [] : [...rooms.map((room) => ({ path: `../src/${room}` })), { path: "../tools" }];
  if (folder === "bench") references.push({ path: "../test" });
  writeFileSync(
    `${folder}/tsconfig.json`,
    json({
      extends: "../tsconfig.base.json",
      compilerOptions: { rootDir: "..", outDir: "../build/types" },
      include: ["."],
      references,
    }),
  );
}
