/** What an S3 server or the way to it said, in words: what is wrong, and what the reader can do. */
import { MemkeepError, reasonOf } from "../../domain/errors.ts";
import type { ErrorCode } from "../../domain/errors.ts";
import { errnoOf } from "../../util/fs/durable.ts";
import { isTransientCode } from "../decorators/retry.ts";
import type { S3Config } from "./config.ts";

/** One request, for the words of its failure. */
export interface Asked {
  readonly tried: string;
  /** The permission that it needs. */
  readonly action: string;
  readonly config: S3Config;
}

interface Meaning {
  readonly code: ErrorCode;
  readonly happened: string;
  readonly next?: string;
  readonly transient?: boolean;
}

/** The parts of the SDK's errors that count. Errors of the connection have none of them. */
interface Answer {
  readonly name: string;
  readonly status: number | undefined;
  readonly message: string;
  /** The region where the bucket is, when the server says so. */
  readonly region: string | undefined;
}

/** The `MemkeepError` for a failed request. `details.transient` is always set. */
export function s3Failure(error: unknown, asked: Asked): MemkeepError {
  if (error instanceof MemkeepError) return error;
  const { code, transient = false, ...words } = meaningOf(error, asked);
  return new MemkeepError(code, { tried: asked.tried, ...words, cause: error, details: { transient } });
}

/** The server's own word for what is wrong, such as `NoSuchKey`, and the HTTP status. */
export function answerOf(error: unknown): Answer {
  const fields = new Map(Object.entries(error ?? {}));
  const metadata = new Map(Object.entries(Object(fields.get("$metadata")) as object));
  const status: unknown = metadata.get("httpStatusCode");
  const region: unknown = fields.get("Region");
  return {
    name: error instanceof Error ? plain(error.name) : "",
    status: typeof status === "number" ? status : undefined,
    message: plain(reasonOf(error)),
    region: typeof region === "string" ? plain(region) : undefined,
  };
}

function meaningOf(error: unknown, asked: Asked): Meaning {
  const answer = answerOf(error);
  return (
    connectionMeaning(error, answer, asked) ?? serverMeaning(answer, asked) ?? statusMeaning(answer, asked)
  );
}

const certificateCodes = new Set(
  (
    "DEPTH_ZERO_SELF_SIGNED_CERT SELF_SIGNED_CERT_IN_CHAIN UNABLE_TO_VERIFY_LEAF_SIGNATURE UNABLE_TO_GET_ISSUER_CERT " +
    "UNABLE_TO_GET_ISSUER_CERT_LOCALLY CERT_HAS_EXPIRED CERT_NOT_YET_VALID CERT_UNTRUSTED CERT_REVOKED " +
    "ERR_TLS_CERT_ALTNAME_INVALID"
  ).split(" "),
);

/** What went wrong before or while an answer came. */
function connectionMeaning(error: unknown, answer: Answer, { config }: Asked): Meaning | undefined {
  const errno = errnoOf(error) ?? "";
  const host = config.endpoint ?? "Amazon S3";
  if (certificateCodes.has(errno)) {
    return {
      code: "STORAGE_FAILED",
      happened: `the certificate of ${host} is not trusted (${answer.message})`,
      next: "Where the server has its own certificate authority, give its file as caFile (or AWS_CA_BUNDLE).",
    };
  }
  if (errno === "EPROTO" || errno.startsWith("ERR_SSL_")) {
    return {
      code: "STORAGE_FAILED",
      happened: `${host} does not speak TLS as expected`,
      next: "Check the port; a server without TLS is written s3:http://host/bucket.",
    };
  }
  if (errno === "ENOTFOUND") {
    return {
      code: "STORAGE_FAILED",
      happened: `the server name of ${host} was not found`,
      next: "Check the spelling of the endpoint, and this machine's network.",
    };
  }
  // HPE_: the answer was cut while its head was read.
  if (isTransientCode(errno) || errno.startsWith("HPE_") || errno === "ERR_STREAM_PREMATURE_CLOSE") {
    return {
      code: "STORAGE_FAILED",
      happened: `the connection to ${host} failed (${answer.message})`,
      transient: true,
    };
  }
  if (answer.name === "TimeoutError") {
    return { code: "STORAGE_FAILED", happened: `${host} did not answer in time`, transient: true };
  }
  if (answer.name === "CredentialsProviderError") {
    return {
      code: "STORAGE_DENIED",
      happened: `no credentials were found (${answer.message})`,
      next: "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile in the configuration.",
    };
  }
  return undefined;
}

/** What the server said, by the error codes of https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html. */
function serverMeaning(answer: Answer, { action, config }: Asked): Meaning | undefined {
  const { name } = answer;
  switch (name) {
    case "InvalidAccessKeyId":
    // Versity Gateway's word for it.
    case "XAdminUserNotFound":
      return {
        code: "STORAGE_DENIED",
        happened: "the server does not know the access key",
        next: "Check the access key id, and that it belongs to this server.",
      };
    case "SignatureDoesNotMatch":
      return {
        code: "STORAGE_DENIED",
        happened: "the secret key does not fit the access key",
        next: `Check the secret access key${config.region === undefined ? "" : ` and the region (${config.region})`}.`,
      };
    case "ExpiredToken":
    case "InvalidToken":
    case "TokenRefreshRequired":
      return {
        code: "STORAGE_DENIED",
        happened: "the session token is not valid any more",
        next: "Log in again, or use keys that do not expire for scheduled backups.",
      };
    case "RequestTimeTooSkewed":
    case "RequestExpired":
      return {
        code: "STORAGE_DENIED",
        happened: "the clocks of this machine and of the server are too far apart",
        next: "Set this machine's clock (for example with `timedatectl set-ntp true`).",
      };
    case "NoSuchBucket":
      return {
        code: "STORAGE_MISSING",
        happened: `there is no bucket ${config.bucket}`,
        next: "Create it with your provider's tools, or check its name and the endpoint.",
      };
    case "NoSuchKey":
      return { code: "STORAGE_MISSING", happened: "there is no such entry" };
    case "PreconditionFailed":
      return { code: "STORAGE_EXISTS", happened: "the name is taken" };
    case "PermanentRedirect":
    case "AuthorizationHeaderMalformed":
    case "IllegalLocationConstraintException":
      return {
        code: "STORAGE_FAILED",
        happened: `the bucket is in ${answer.region ?? "another region"}, not in ${config.region ?? "the one asked"} (${answer.message})`,
        next: answer.region === undefined ? "Set the bucket's region." : `Set region: ${answer.region}.`,
      };
    case "InvalidObjectState":
      return {
        code: "STORAGE_FAILED",
        happened: "the object is in an archive class and must be thawed before it can be read",
        next: "Restore it with your provider's tools, and keep repositories out of archive classes.",
      };
    case "QuotaExceeded":
    case "InsufficientStorage":
    case "XMinioStorageFull":
    case "XMinioAdminBucketQuotaExceeded":
      return {
        code: "STORAGE_FULL",
        happened: "the server has no room left for this bucket",
        next: "Raise the quota, or run `memkeep forget` and `memkeep prune`.",
      };
    case "AccessDenied":
    case "AllAccessDisabled":
    case "MethodNotAllowed":
      return {
        code: "STORAGE_DENIED",
        happened: `the key has no permission for ${action}, or the bucket forbids it (${answer.message})`,
        next: `Allow ${action} on the bucket ${config.bucket}.`,
      };
    default:
      return undefined;
  }
}

const passingNames = new Set(
  "SlowDown RequestTimeout InternalError ServiceUnavailable Throttling ThrottlingException RequestLimitExceeded TooManyRequests OperationAborted ConditionalRequestConflict XAmzContentSHA256Mismatch BadDigest IncompleteBody".split(
    " ",
  ),
);

/** An answer whose code says nothing: by its HTTP status. */
function statusMeaning({ name, status, message }: Answer, { action, config }: Asked): Meaning {
  if (passingNames.has(name) || status === 429 || (status !== undefined && status >= 500 && status !== 501)) {
    const code = status === 507 ? "STORAGE_FULL" : "STORAGE_FAILED";
    return {
      code,
      happened: `the server said ${status ?? ""} ${name} (${message})`,
      transient: code === "STORAGE_FAILED",
    };
  }
  if (status === 403) {
    return {
      code: "STORAGE_DENIED",
      happened: `the server refused the key or the permission for ${action}`,
      next: `Check the keys, and that they allow ${action} on the bucket ${config.bucket}.`,
    };
  }
  const said = status === undefined ? message : `the server said ${status} ${name} (${message})`;
  return { code: "STORAGE_FAILED", happened: said };
}

/** Text from outside: without control characters, and not endless (law 12). */
function plain(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is removed
  const shown = text.replaceAll(/[\0-\x1F\x7F-\x9F]+/g, " ");
  return shown.length <= 300 ? shown : `${shown.slice(0, 299)}…`;
}
