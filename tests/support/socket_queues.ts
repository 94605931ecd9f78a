// How many bytes lie in the system's buffers of the connections to one port of 127.0.0.1 (Linux): sent
// by one side, not read by the other.

const LOOPBACK = "0100007F";

/** Both directions, both ends. */
export function queuedBytes(port: number): number {
  const address = `${LOOPBACK}:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  let sum = 0;
  for (const line of Deno.readTextFileSync("/proc/net/tcp").split("\n").slice(1)) {
    const [, local, remote, , queues] = line.trim().split(/\s+/);
    if (queues === undefined || (local !== address && remote !== address)) continue;
    sum += queues.split(":").reduce((bytes, hex) => bytes + parseInt(hex, 16), 0);
  }
  return sum;
}
