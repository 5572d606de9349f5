/**
 * Asks again and again until `holds` says yes of the answer, and returns that answer. For what has no event to wait for.
 * Rejects with the last answer when patience, in milliseconds, runs out.
 */
export async function eventually<Answer>(
  ask: () => Promise<Answer>,
  holds: (answer: Answer) => boolean,
  patience = 60_000,
): Promise<Answer> {
  const end = Date.now() + patience;
  for (;;) {
    const answer = await ask();
    if (holds(answer)) return answer;
    if (Date.now() >= end) throw new Error(`it did not come to hold within ${patience / 1000} s; at last: ${JSON.stringify(answer)}`);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}
