// TCP ports on which a process listens, as the system itself tells.

const LISTENING = "0A";

export function listeningPorts(pid: number): number[] {
  const own = new Set<string>();
  for (const { name } of entries(`/proc/${pid}/fd`)) {
    const inode = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${name}`))?.[1];
    if (inode !== undefined) own.add(inode);
  }
  const lines = ["tcp", "tcp6"].flatMap((table) =>
    Deno.readTextFileSync(`/proc/net/${table}`).split("\n").slice(1)
  );
  return lines.flatMap((line) => {
    const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
    const isOurs = state === LISTENING && inode !== undefined && own.has(inode);
    return isOurs ? [parseInt(local!.split(":")[1]!, 16)] : [];
  });
}

function entries(path: string): Deno.DirEntry[] {
  try {
    return [...Deno.readDirSync(path)];
  } catch (error) {
    // It has ended.
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

function linkOf(path: string): string {
  try {
    return Deno.readLinkSync(path);
  } catch {
    // It was closed meanwhile.
    return "";
  }
}
