// Sizes, speeds and times as people read them.

/** `2.4 GB`, in thousands as disks are sold. */
export function sizeText(sizeBytes: number | null): string {
  if (sizeBytes === null) return "?";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let amount = sizeBytes;
  let unit = 0;
  // What would be rounded to 1000 is one of the next unit.
  while (unit < units.length - 1 && amount >= (unit === 0 ? 1000 : 999.5)) {
    amount /= 1000;
    unit++;
  }
  const digits = unit < 2 || amount >= 99.95 ? 0 : 1;
  return `${amount.toFixed(digits)} ${units[unit]}`;
}

/** `45 s`, `12 min 5 s`, `3 h 20 min`, `2 days` */
export function timeText(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return whole % 60 === 0 ? `${minutes} min` : `${minutes} min ${whole % 60} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} days`;
}

/** `3.8B`, `494M`, as models are named. */
export function countText(count: number | null): string {
  if (count === null) return "?";
  if (count >= 1e9) return `${trimmed(count / 1e9)}B`;
  if (count >= 1e6) return `${trimmed(count / 1e6)}M`;
  return count >= 1e3 ? `${trimmed(count / 1e3)}k` : String(count);
}

function trimmed(amount: number): string {
  return amount >= 99.95 ? amount.toFixed(0) : amount.toFixed(1).replace(/\.0$/, "");
}
