// Addresses as the kernel's tables write them, so that a text and a row can be compared.

/**
 * 4 bytes of an IPv4 address, 16 of an IPv6 address; an IPv4 address inside IPv6 counts as IPv4 and
 * a zone (`%eth0`) is left out. Null for any other text.
 */
export function addressBytes(address: string): number[] | null {
  if (!address.includes(":")) return ipv4Bytes(address);
  const bytes = ipv6Bytes(address.split("%", 1)[0] ?? "");
  if (bytes === null) return null;
  const mapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 255 &&
    bytes[11] === 255;
  return mapped ? bytes.slice(12) : bytes;
}

/** Words of 4 bytes, each with its bytes turned round, as little-endian kernels print them. */
export function kernelHex(bytes: readonly number[]): string {
  let text = "";
  for (let word = 0; word < bytes.length; word += 4) {
    for (let index = word + 3; index >= word; index--) text += hex(bytes[index] ?? 0, 2);
  }
  return text;
}

export function hex(number: number, digits: number): string {
  return number.toString(16).toUpperCase().padStart(digits, "0");
}

function ipv4Bytes(text: string): number[] | null {
  const parts = text.split(".");
  const bytes = parts.map((part) => /^\d{1,3}$/.test(part) ? Number(part) : 256);
  return bytes.length === 4 && bytes.every((byte) => byte < 256) ? bytes : null;
}

function ipv6Bytes(text: string): number[] | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const [head, tail] = halves.map(groupBytes);
  if (head === null || head === undefined || tail === null) return null;
  if (tail === undefined) return head.length === 16 ? head : null;
  const gap = 16 - head.length - tail.length;
  return gap >= 2 ? [...head, ...Array<number>(gap).fill(0), ...tail] : null;
}

/** `fe80:1` or, at the end, `ffff:127.0.0.1`. */
function groupBytes(text: string): number[] | null {
  if (text === "") return [];
  const bytes: number[] = [];
  for (const group of text.split(":")) {
    if (group.includes(".")) {
      const last = ipv4Bytes(group);
      if (last === null) return null;
      bytes.push(...last);
    } else if (/^[0-9a-fA-F]{1,4}$/.test(group)) {
      const number = parseInt(group, 16);
      bytes.push(number >> 8, number & 255);
    } else {
      return null;
    }
  }
  return bytes;
}
