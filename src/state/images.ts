/** Image, reference and layer rows. */
export const schema = `
CREATE TABLE layers (
  diff_id TEXT PRIMARY KEY,
  size_bytes INTEGER NOT NULL
) STRICT;
CREATE TABLE images (
  id TEXT PRIMARY KEY,
  created_nanos INTEGER NOT NULL,
  size_bytes INTEGER NOT NULL,
  record TEXT NOT NULL
) STRICT;
CREATE TABLE image_layers (
  image_id TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  diff_id TEXT NOT NULL REFERENCES layers(diff_id),
  PRIMARY KEY (image_id, position)
) STRICT;
CREATE INDEX image_layers_diff ON image_layers(diff_id);
CREATE TABLE image_references (
  name TEXT PRIMARY KEY,
  image_id TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE
) STRICT;
CREATE INDEX image_references_image ON image_references(image_id);
`;
