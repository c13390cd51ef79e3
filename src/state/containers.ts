/** Container rows. The record itself is JSON owned by `containers/`; columns are what is looked up by. */
export const schema = `
CREATE TABLE containers (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  created_nanos INTEGER NOT NULL,
  image_id TEXT NOT NULL,
  record TEXT NOT NULL
) STRICT;
CREATE INDEX containers_image ON containers(image_id);
`;
