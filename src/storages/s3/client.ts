import { readFile } from "node:fs/promises";
import { getCACertificates } from "node:tls";
import { S3Client } from "@aws-sdk/client-s3";
import type { S3ClientConfig } from "@aws-sdk/client-s3";
import { MemkeepError, reasonOf } from "../../domain/errors.ts";
import { ReadingHttpAgent, ReadingHttpsAgent } from "./agent.ts";
import { type S3Config, server } from "./config.ts";

/**
 * A client for the configured server. Credentials come from the configuration, else from where every AWS program
 * takes them (`AWS_*` variables, profiles, instance and container roles). Sends nothing.
 */
export async function makeClient(given: S3Config): Promise<S3Client> {
  const config = given.endpoint === undefined ? given : atAmazon(given, server(new URL(given.endpoint)));
  const agent = { keepAlive: true, maxSockets: config.connections };
  const certificates = await trusted(config);
  const basic: S3ClientConfig = {
    ...(config.endpoint === undefined ? {} : { endpoint: config.endpoint }),
    ...(config.profile === undefined ? {} : { profile: config.profile }),
    ...credentials(config),
    // A bucket name with dots does not match the certificate's wildcard.
    forcePathStyle: config.pathStyle ?? (config.endpoint !== undefined || config.bucket.includes(".")),
    // Many servers know none of the newer checksums; a signed SHA-256 of every upload is sent anyway.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    // Servers that do not answer "100 Continue" would cost six seconds for every upload.
    expectContinueHeader: config.endpoint === undefined,
    // The retry decorator does this, within one deadline and seen by the user.
    maxAttempts: 1,
    logger: silentLogger,
    requestHandler: {
      connectionTimeout: 15_000,
      socketTimeout: config.stallLimit,
      httpAgent: new ReadingHttpAgent(agent),
      httpsAgent: new ReadingHttpsAgent({
        ...agent,
        ...(certificates === undefined ? {} : { ca: certificates }),
      }),
    },
  };
  const region = config.region ?? process.env["AWS_DEFAULT_REGION"];
  if (region !== undefined) return new S3Client({ ...basic, region });
  const client = new S3Client(basic);
  try {
    await client.config.region();
    return client;
  } catch {
    // Nothing names a region. Servers other than AWS do not care, and AWS tells where the bucket is.
    client.destroy();
    return new S3Client({ ...basic, region: "us-east-1", followRegionRedirects: true });
  }
}

/** `https://s3.amazonaws.com` as an endpoint answers for one region only; what is meant is Amazon. */
function atAmazon(config: S3Config, found: Pick<S3Config, "endpoint" | "region">): S3Config {
  return {
    ...config,
    endpoint: found.endpoint === undefined ? undefined : config.endpoint,
    region: config.region ?? found.region,
  };
}

/** The SDK writes to stderr otherwise. Whatever it would tell there comes as an error too. */
const silentLogger = {
  trace: () => undefined,
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

function credentials(config: S3Config): Pick<S3ClientConfig, "credentials"> {
  const { accessKeyId, secretAccessKey, sessionToken } = config;
  if (accessKeyId === undefined || secretAccessKey === undefined) return {};
  return {
    credentials: { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) },
  };
}

async function trusted(config: S3Config): Promise<string[] | undefined> {
  const file = config.caFile ?? process.env["AWS_CA_BUNDLE"];
  if (file === undefined || config.endpoint?.startsWith("http:") === true) return undefined;
  try {
    return [...getCACertificates("default"), await readFile(file, "utf8")];
  } catch (cause) {
    throw new MemkeepError("CONFIG_INVALID", {
      tried: `read the trusted certificates in ${file}`,
      happened: reasonOf(cause),
      cause,
    });
  }
}
