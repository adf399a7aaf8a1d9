import { z } from "zod";
import { Duration, Size } from "../../domain/settings.ts";
import { invalidUrl } from "../url.ts";

export interface S3Config {
  /** The server's address with its scheme; AWS itself when left out. */
  readonly endpoint?: string | undefined;
  readonly bucket: string;
  /** Key prefix without slashes at its ends; `""` for the whole bucket. */
  readonly prefix: string;
  readonly region?: string | undefined;
  readonly accessKeyId?: string | undefined;
  readonly secretAccessKey?: string | undefined;
  readonly sessionToken?: string | undefined;
  readonly profile?: string | undefined;
  readonly pathStyle?: boolean | undefined;
  readonly storageClass?: string | undefined;
  readonly encryption?: "AES256" | "aws:kms" | undefined;
  readonly kmsKeyId?: string | undefined;
  readonly connections: number;
  /** Bytes a second. */
  readonly uploadLimit?: number | undefined;
  readonly downloadLimit?: number | undefined;
  readonly caFile?: string | undefined;
  /** Milliseconds. */
  readonly retryFor: number;
  readonly stallLimit: number;
}

export const schema: z.ZodType<S3Config> = z
  .strictObject({
    endpoint: z
      .url({ protocol: /^https?$/ })
      .optional()
      .meta({
        description: "The server's address; AWS when left out.",
        examples: ["https://s3.example.com"],
      }),
    bucket: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$/)
      .meta({ description: "The bucket; it must exist.", examples: ["backups"] }),
    prefix: z
      .string()
      .refine(isPrefix, "a prefix has no empty part, no . or .. and no control character")
      .default("")
      .meta({ description: "The folder in the bucket.", examples: ["agents/automem"] }),
    region: z
      .string()
      .min(1)
      .optional()
      .meta({
        description: "The bucket's region; AWS_REGION or the profile's when left out.",
        examples: ["eu-central-1"],
      }),
    accessKeyId: z
      .string()
      .min(1)
      .optional()
      .meta({
        description: "With secretAccessKey; AWS_* variables, profiles and roles otherwise.",
        examples: ["${S3_ACCESS_KEY}"],
      }),
    secretAccessKey: z
      .string()
      .min(1)
      .optional()
      .meta({ secret: true, description: "Belongs to accessKeyId.", examples: ["${S3_SECRET_KEY}"] }),
    sessionToken: z
      .string()
      .min(1)
      .optional()
      .meta({ secret: true, description: "Of temporary credentials.", examples: ["${AWS_SESSION_TOKEN}"] }),
    profile: z
      .string()
      .min(1)
      .optional()
      .meta({ description: "A profile of ~/.aws/config; AWS_PROFILE when left out.", examples: ["backups"] }),
    pathStyle: z
      .boolean()
      .optional()
      .meta({
        description: "Bucket in the path, not in the host name; on where an endpoint is given.",
        examples: [true],
      }),
    storageClass: z
      .string()
      .min(1)
      .optional()
      .meta({
        description: "A class that must be thawed before reading does not work.",
        examples: ["STANDARD_IA"],
      }),
    encryption: z
      .enum(["AES256", "aws:kms"])
      .optional()
      .describe("Encryption by the server, besides the repository's own."),
    kmsKeyId: z
      .string()
      .min(1)
      .optional()
      .meta({ description: "The key of `encryption: aws:kms`.", examples: ["alias/backups"] }),
    connections: z.int().min(1).max(64).default(5).describe("Requests under way at once."),
    uploadLimit: Size.optional().meta({
      description: "Bytes a second, all uploads together.",
      examples: ["5MB"],
    }),
    downloadLimit: Size.optional().meta({
      description: "Bytes a second, all downloads together.",
      examples: ["20MB"],
    }),
    caFile: z
      .string()
      .min(1)
      .optional()
      .meta({
        path: true,
        description: "Certificates (PEM) to trust besides the system's.",
        examples: ["./ca.pem"],
      }),
    retryFor: Duration.prefault("15m").describe("How long passing failures are tried again."),
    stallLimit: Duration.prefault("60s").describe(
      "A connection on which nothing moves for so long is given up.",
    ),
  })
  .refine((config) => (config.accessKeyId === undefined) === (config.secretAccessKey === undefined), {
    message: "accessKeyId and secretAccessKey belong together",
    path: ["secretAccessKey"],
  })
  .refine((config) => config.accessKeyId === undefined || config.profile === undefined, {
    message: "a profile and an accessKeyId exclude each other",
    path: ["profile"],
  });

/** `s3:https://host/bucket/prefix`, `s3:host/bucket/prefix` or `s3://host/bucket/prefix`, as restic reads them. */
export function fromUrl(url: string): S3Config {
  const next = "Write s3:https://host/bucket/prefix, or s3:host/bucket/prefix.";
  const rest = url.slice("s3:".length);
  const hasScheme = /^https?:\/\//i.test(rest);
  let parsed: URL;
  let path: string;
  try {
    parsed = new URL(hasScheme ? rest : `https://${rest.replace(/^\/\//, "")}`);
    path = decodeURIComponent(parsed.pathname);
  } catch (cause) {
    throw invalidUrl(url, "it has no server name that can be read", next, cause);
  }
  if (parsed.username !== "" || parsed.password !== "") {
    throw invalidUrl(
      url,
      "it holds credentials, which would be seen in process lists and logs",
      "Use AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the configuration file.",
    );
  }
  if (parsed.search !== "" || parsed.hash !== "") throw invalidUrl(url, "it has a ? or # part", next);
  if (!/[.:]|^localhost$/i.test(parsed.host)) {
    throw invalidUrl(url, "its first part is no server name", `${next} For AWS: s3:s3.amazonaws.com/bucket.`);
  }
  const [bucket = "", ...folders] = path.split("/").filter((part) => part !== "");
  const config = schema.safeParse({ ...server(parsed), bucket, prefix: folders.join("/") });
  if (config.success) return config.data;
  const wrong = config.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; ");
  throw invalidUrl(url, bucket === "" ? "it names no bucket" : wrong, next);
}

/** Amazon's own servers are found by region, not by endpoint, so that its regional host names work too. */
export function server(url: URL): Pick<S3Config, "endpoint" | "region"> {
  const amazon = /^s3(?:[.-](?:dualstack\.)?(?<region>[a-z]{2}-[a-z-]+-\d))?\.amazonaws\.com$/.exec(url.host);
  if (amazon === null || url.protocol !== "https:") return { endpoint: url.origin };
  const region = amazon.groups?.["region"];
  return region === undefined ? {} : { region };
}

function isPrefix(prefix: string): boolean {
  // oxlint-disable-next-line no-control-regex -- control characters are what is refused
  const part = /^(?!\.{1,2}$)[^\0-\x1F\x7F\\]+$/;
  return prefix.length <= 400 && (prefix === "" || prefix.split("/").every((each) => part.test(each)));
}
