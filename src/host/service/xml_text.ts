// Text inside an XML document, and back.

const ENTITIES: readonly (readonly [sign: string, entity: string])[] = [
  ["&", "&amp;"],
  ["<", "&lt;"],
  [">", "&gt;"],
  ['"', "&quot;"],
  ["'", "&apos;"],
];

export function escapeXml(text: string): string {
  return ENTITIES.reduce((escaped, [sign, entity]) => escaped.replaceAll(sign, entity), text);
}

export function unescapeXml(text: string): string {
  return ENTITIES.toReversed().reduce(
    (plain, [sign, entity]) => plain.replaceAll(entity, sign),
    text,
  );
}
