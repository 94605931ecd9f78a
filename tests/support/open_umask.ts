// A process of its own that makes a folder for sockets where new files are open to all: `open_umask.ts
// OPTIONS`. The mask belongs to a whole process, in which other tests run as well. Prints the folder.

import { prepareSocketFolder } from "../../src/host/socket_folder.ts";

if (import.meta.main) {
  Deno.umask(0);
  const { dir } = prepareSocketFolder(JSON.parse(Deno.args[0]!));
  Deno.stdout.writeSync(new TextEncoder().encode(dir));
}
