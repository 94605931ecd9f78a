// What a setting's parser throws: which values it takes. Who asked for it, and where, is added by its catcher.

/** The message completes a sentence: "it takes ...". */
export class BadValue extends Error {
  override readonly name = "BadValue";
}
