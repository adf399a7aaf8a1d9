/** Whether a password can be guessed. It stands between a thief of the repository and the memory. */

/** The key derivation (scrypt) makes each try cost about a tenth of a second; twelve random letters are out of reach. */
const shortestChars = 12;
const fewestDifferent = 5;
const common =
  /^(?:pass(?:word)?|secret|changeme|backup|memkeep|restic|admin|qwerty|letmein|test|\d)+[!.\d]*$/i;

/** Why it is weak, as the end of a sentence; undefined when it is not. The words hold nothing of it. */
export function passwordWeakness(password: string): string | undefined {
  if (password.length < shortestChars) return `is shorter than ${shortestChars} characters`;
  if (new Set(password).size < fewestDifferent) return "has hardly any different characters";
  if (common.test(password)) return "is made of common words";
  return undefined;
}
