// A download in one line: bar, bytes, speed, time left, and what it waits for.

import type { DownloadRow } from "../api_types.ts";
import { sizeText, timeText } from "./amounts.ts";
import { cutToWidth, textWidth } from "./text_width.ts";

const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
const LEAST_NAME = 8;
const LEAST_BAR = 5;
/** A long name leaves it so much. */
const USUAL_BAR = 15;
const MOST_BAR = 30;

/** `fraction` from 0 to 1 in a bar of so many columns. */
export function bar(fraction: number, columns: number): string {
  const eighths = Math.floor(Math.min(1, Math.max(0, fraction)) * columns * 8);
  const text = "█".repeat(Math.floor(eighths / 8)) + EIGHTHS[eighths % 8]!;
  return text + "░".repeat(columns - textWidth(text));
}

/** Never wider than `columns`. */
export function progressLine(row: DownloadRow, columns: number): string {
  const name = row.model ?? row.file;
  const parts = [amountText(row), ...speedParts(row)];
  const why = waitingText(row);
  if (why !== null) return cutToWidth(`${name}  ${parts[0]}  ${why}`, columns);
  const total = row.bytes_total;
  if (total === null) return cutToWidth(`${name}  asking the Hub`, columns);
  const fraction = total === 0 ? 1 : row.bytes_done / total;
  const numbers = `${String(Math.floor(fraction * 100)).padStart(3)} %  ${parts.join("  ")}`;
  const room = columns - textWidth(numbers) - 4;
  const shown = cutToWidth(name, Math.max(LEAST_NAME, room - USUAL_BAR));
  const barWidth = Math.min(MOST_BAR, room - textWidth(shown));
  const drawn = barWidth < LEAST_BAR ? "" : `${bar(fraction, barWidth)}  `;
  return cutToWidth(`${shown}  ${drawn}${numbers}`, columns);
}

/** For who reads no terminal: the state, and why. */
export function progressText(row: DownloadRow): string {
  const why = waitingText(row);
  return `${row.model ?? row.file}: ${amountText(row)}, ${why ?? row.state}`;
}

function amountText({ bytes_done, bytes_total }: DownloadRow): string {
  return bytes_total === null
    ? sizeText(bytes_done)
    : `${sizeText(bytes_done)} of ${sizeText(bytes_total)}`;
}

function speedParts({ state, bytes_per_second, seconds_left }: DownloadRow): string[] {
  if (state === "verifying") return ["checking"];
  if (state !== "downloading") return [];
  const speed = `${sizeText(bytes_per_second)}/s`;
  return seconds_left === null ? [speed] : [speed, `${timeText(seconds_left)} left`];
}

function waitingText({ state, position, error, retry_at }: DownloadRow): string | null {
  switch (state) {
    case "queued":
      return position === 0 ? null : `waits for ${position} other${position === 1 ? "" : "s"}`;
    case "paused":
      return "paused";
    case "waiting": {
      const inTime = retry_at === null
        ? ""
        : ` (again in ${timeText((Date.parse(retry_at) - Date.now()) / 1000)})`;
      return `waits: ${error?.message ?? "it goes on by itself"}${inTime}`;
    }
    default:
      return null;
  }
}
