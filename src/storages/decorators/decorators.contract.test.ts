import { describeStorageContract } from "../contract/contract.ts";
import { localPlace } from "../contract/local-place.ts";
import { FaultyStorage } from "./faults.ts";
import { RetryingStorage } from "./retry.ts";
import { ThrottledStorage } from "./throttle.ts";

describeStorageContract("retry around a folder", () => localPlace((storage) => new RetryingStorage(storage)));
describeStorageContract("throttle around a folder", () =>
  localPlace(
    (storage) => new ThrottledStorage(storage, { uploadBytesPerSecond: 1e12, downloadBytesPerSecond: 1e12 }),
  ),
);
describeStorageContract("faults without a script around a folder", () =>
  localPlace((storage) => new FaultyStorage(storage)),
);
