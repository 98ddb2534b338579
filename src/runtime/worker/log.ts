/** One object a line, as Workers' own logs like it. Callers name the fields; bodies, keys and tokens are never among them. */
export function log(
  level: "info" | "warn" | "error",
  fields: Readonly<Record<string, unknown>>,
  message: string,
): void {
  console[level](JSON.stringify({ level, message, ...fields }));
}
