const MILLISECONDS = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const;

/** Milliseconds of a GEP-2257 duration (`1h30m`, `500ms`); undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  if (!/^(\d{1,5}(h|m|s|ms)){1,4}$/.test(text)) return undefined;
  const parts = [...text.matchAll(/(\d+)(h|ms|m|s)/g)];
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * MILLISECONDS[unit as keyof typeof MILLISECONDS], 0);
}
