// What Ollama can do and this server cannot, each with its reason.

import { AppError } from "../errors.ts";

/** Its templates are written in Go's language; a Jinja one is the model's own business. */
export function refuseTemplate(template: string): void {
  if (template === "") return;
  throw notSupported(
    'Cannot use "template": it is in Ollama\'s template language, and llama-server reads Jinja. ' +
      'Leave it out, or set "chat_template" in the settings of the model',
  );
}

export function notSupported(message: string): AppError {
  return new AppError("not_supported", message);
}
