// What the makers of GPUs say of their memory's bandwidth, by name (pure): it cannot be measured
// without running on the card. A card that is not here is unknown, never likened to another.

/** GB/s, decimal. Where a chip is sold with two, the lower one. */
const APPLE: Readonly<Record<string, number>> = {
  "m1": 68,
  "m1 pro": 200,
  "m1 max": 400,
  "m1 ultra": 800,
  "m2": 100,
  "m2 pro": 200,
  "m2 max": 400,
  "m2 ultra": 800,
  "m3": 100,
  "m3 pro": 150,
  "m3 max": 300,
  "m3 ultra": 819,
  "m4": 120,
  "m4 pro": 273,
  "m4 max": 410,
  "m5": 153,
  "m5 pro": 307,
  "m5 max": 460,
};

const GEFORCE: Readonly<Record<string, number>> = {
  "1050": 112,
  "1050 ti": 112,
  "1060": 192,
  "1070": 256,
  "1070 ti": 256,
  "1080": 320,
  "1080 ti": 484,
  "1630": 96,
  "1650": 128,
  "1650 super": 192,
  "1660": 192,
  "1660 super": 336,
  "1660 ti": 288,
  "2060": 336,
  "2060 super": 448,
  "2070": 448,
  "2070 super": 448,
  "2080": 448,
  "2080 super": 496,
  "2080 ti": 616,
  "3050": 168,
  "3060": 240,
  "3060 ti": 448,
  "3070": 448,
  "3070 ti": 608,
  "3080": 760,
  "3080 ti": 912,
  "3090": 936,
  "3090 ti": 1008,
  "4060": 272,
  "4060 ti": 288,
  "4070": 504,
  "4070 super": 504,
  "4070 ti": 504,
  "4070 ti super": 672,
  "4080": 717,
  "4080 super": 736,
  "4090": 1008,
  "5050": 320,
  "5060": 448,
  "5060 ti": 448,
  "5070": 672,
  "5070 ti": 896,
  "5080": 960,
  "5090": 1792,
};

/** The same names in a laptop are other cards. */
const GEFORCE_LAPTOP: Readonly<Record<string, number>> = {
  "3050": 192,
  "3050 ti": 192,
  "3060": 336,
  "3070": 448,
  "3070 ti": 448,
  "3080": 448,
  "3080 ti": 512,
  "4050": 192,
  "4060": 256,
  "4070": 256,
  "4080": 432,
  "4090": 576,
  "5060": 448,
  "5070": 384,
  "5070 ti": 672,
  "5080": 896,
  "5090": 896,
};

/** Cards for servers and workstations. The first that matches: from the special to the general. */
const PROFESSIONAL: readonly (readonly [RegExp, number])[] = [
  [/\bgb10\b|dgx spark/, 273],
  [/\bh200\b/, 4800],
  [/\bh100\b.*\b(?:pcie|nvl)\b/, 2000],
  [/\bh100\b/, 3350],
  [/\ba100\b.*\b80gb\b/, 1935],
  [/\ba100\b/, 1555],
  [/\bv100\b/, 900],
  [/\bp100\b/, 549],
  [/\bp40\b/, 346],
  [/\bt4\b/, 320],
  [/\bl40s?\b/, 864],
  [/\bl4\b/, 300],
  [/\ba10g?\b/, 600],
  [/\ba30\b/, 933],
  [/\ba40\b/, 696],
  [/\brtx a2000\b/, 288],
  [/\brtx a4000\b/, 448],
  [/\brtx a4500\b/, 640],
  [/\brtx a5000\b/, 768],
  [/\brtx a6000\b/, 768],
  [/\brtx 4000 (?:sff )?ada\b/, 280],
  [/\brtx 4500 ada\b/, 432],
  [/\brtx 5000 ada\b/, 576],
  [/\brtx 6000 ada\b/, 960],
  [/\bmi50\b|\bradeon vii\b/, 1024],
  [/\bmi100\b/, 1229],
  [/\bmi210\b/, 1638],
  [/\bmi300x\b/, 5300],
  [/\bw7800\b/, 576],
  [/\bw7900\b/, 864],
  [/\b80[56]0s\b/, 256],
];

const RADEON: Readonly<Record<string, number>> = {
  "570": 224,
  "580": 256,
  "590": 256,
  "5500 xt": 224,
  "5600 xt": 288,
  "5700": 448,
  "5700 xt": 448,
  "6500 xt": 144,
  "6600": 224,
  "6600 xt": 256,
  "6650 xt": 280,
  "6700 xt": 384,
  "6750 xt": 432,
  "6800": 512,
  "6800 xt": 512,
  "6900 xt": 512,
  "6950 xt": 576,
  "7600": 288,
  "7600 xt": 288,
  "7700 xt": 432,
  "7800 xt": 624,
  "7900 gre": 576,
  "7900 xt": 800,
  "7900 xtx": 960,
  "9060 xt": 320,
  "9070": 640,
  "9070 xt": 640,
};

const ARC: Readonly<Record<string, number>> = {
  "a310": 124,
  "a380": 186,
  "a580": 512,
  "a750": 512,
  "a770": 512,
  "b50": 224,
  "b60": 456,
  "b570": 380,
  "b580": 456,
};

const GB = 1e9;

/** Bytes per second; null for a card that is not known. */
export function nominalBandwidth(name: string): number | null {
  const words = ` ${name.toLowerCase().replace(/\((?:r|tm)\)/g, " ").replace(/[^a-z0-9]+/g, " ")} `;
  const gigabytes = professional(words) ?? geforce(words) ?? radeon(words) ??
    listed(ARC, /\barc (?:pro )?([ab]\d{2,3})\b/.exec(words)) ??
    listed(APPLE, /\bapple (m\d(?: (?:pro|max|ultra))?)\b/.exec(words));
  return gigabytes === null ? null : gigabytes * GB;
}

/** Of a model that is spread over all of these: as slow as the slowest. */
export function slowestNominalBandwidth(names: readonly string[]): number | null {
  const known = names.map(nominalBandwidth);
  return known.length === 0 || known.includes(null) ? null : Math.min(...known.map(Number));
}

function professional(words: string): number | null {
  return PROFESSIONAL.find(([pattern]) => pattern.test(words))?.[1] ?? null;
}

function geforce(words: string): number | null {
  // Laptops' older cards have names of their own, whose figures are not known here.
  if (/\bmax q\b|\bmobile\b/.test(words)) return null;
  const card = /\b[gr]tx (\d{4}(?: ti)?(?: super)?)\b/.exec(words);
  // The one with 12 GB has more than the one with 8.
  if (card?.[1] === "3060" && /\b12 ?gb\b/.test(words)) return 360;
  return listed(/\blaptop\b/.test(words) ? GEFORCE_LAPTOP : GEFORCE, card);
}

function radeon(words: string): number | null {
  // `RX 7900M`, `RX 6700S` and the like do not end where the number does.
  return listed(RADEON, /\brx (\d{3,4}(?: (?:xtx|xt|gre))?)\b/.exec(words));
}

function listed(
  table: Readonly<Record<string, number>>,
  match: RegExpExecArray | null,
): number | null {
  const key = match?.[1];
  return key !== undefined && Object.hasOwn(table, key) ? table[key]! : null;
}
