/** Resolves when a GET of `url` is answered with success. */
export async function askHttp(url: string): Promise<void> {
  const answer = await fetch(url);
  await answer.body?.cancel();
  if (!answer.ok) throw new Error(`${url} is answered with ${answer.status}`);
}
