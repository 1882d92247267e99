// The files of one process's spool, as one long stream of bytes: written at its end, read anywhere, deleted from its beginning.
import fs from 'node:fs';
import { open, unlink } from 'node:fs/promises';
import path from 'node:path';

/** What is done to the disk, so that a test can watch it or make it fail. */
export type Disk = {
  readonly openSync: (file: string) => number;
  readonly writeSync: (fd: number, block: Buffer, offset: number, length: number, position: number) => number;
  readonly syncData: (fd: number) => Promise<void>;
};

export const realDisk: Disk = {
  openSync: file => fs.openSync(file, 'wx+', 0o600),
  writeSync: fs.writeSync,
  syncData: fd => new Promise((resolve, reject) => fs.fdatasync(fd, error => (error ? reject(error) : resolve()))),
};

type Segment = {
  readonly file: string;
  readonly fd: number;
  /** Where it begins in the stream. */
  readonly start: number;
  bytes: number;
  isDirty: boolean;
  /** Nothing more is written to it, so it may go though it is the last. */
  isSealed: boolean;
};

export class Segments {
  readonly #folder: string;
  readonly #maxBytes: number;
  readonly #disk: Disk;
  /** Oldest first; the last one is written. */
  #segments: Segment[] = [];
  #opened = 0;
  /** Where the stream goes on when there is no segment. */
  #dropped = 0;
  #isFolderDirty = false;

  constructor(folder: string, maxBytes: number, disk: Disk) {
    this.#folder = folder;
    this.#maxBytes = maxBytes;
    this.#disk = disk;
  }

  start(): number {
    return this.#segments[0]?.start ?? this.#dropped;
  }

  end(): number {
    const last = this.#segments.at(-1);
    return last ? last.start + last.bytes : this.#dropped;
  }

  isDirty(): boolean {
    return this.#segments.some(segment => segment.isDirty);
  }

  /** Hands the whole block to the kernel, or throws, and then nothing of it counts. Blocks hold whole lines, so no line is in two files. */
  write(block: Buffer): void {
    const segment = this.#writable();
    try {
      for (let done = 0; done < block.length; )
        done += this.#disk.writeSync(segment.fd, block, done, block.length - done, segment.bytes + done);
    } catch (error) {
      // What a full disk did take must not come to light when the file is replayed.
      fs.ftruncateSync(segment.fd, segment.bytes);
      throw error;
    }
    segment.bytes += block.length;
    segment.isDirty = true;
  }

  /** At most `maxBytes` from there on, and not beyond the segment. `next` is where the segment ends. */
  async read(from: number, maxBytes: number): Promise<{ block: Buffer; next: number }> {
    const segment = this.#segments.find(({ start, bytes }) => from < start + bytes);
    if (!segment) return { block: Buffer.alloc(0), next: from };
    const next = segment.start + segment.bytes;
    const block = Buffer.allocUnsafe(Math.min(maxBytes, next - from));
    const file = await open(segment.file);
    try {
      const { bytesRead } = await file.read(block, 0, block.length, from - segment.start);
      return { block: block.subarray(0, bytesRead), next };
    } finally {
      await file.close();
    }
  }

  /** What comes next goes into a new segment: the last one can be deleted where every byte of the disk counts. */
  seal(): void {
    const last = this.#segments.at(-1);
    if (last && last.bytes > 0) last.isSealed = true;
  }

  /** Ends of the segments that lie wholly before this point; the one that is written is never among them. */
  endsBefore(point: number): readonly number[] {
    return this.#segments
      .filter(({ isSealed }, i) => isSealed || i < this.#segments.length - 1)
      .map(({ start, bytes }) => start + bytes)
      .filter(end => end <= point);
  }

  /** Deletes the segments that end at or before this point. The one that is written stays. */
  async dropUntil(point: number): Promise<void> {
    const gone = this.endsBefore(point).length;
    for (const segment of this.#segments.splice(0, gone)) {
      this.#dropped = segment.start + segment.bytes;
      fs.closeSync(segment.fd);
      await unlink(segment.file);
    }
  }

  /** Brings all that was written before this call to the disk. */
  async sync(): Promise<void> {
    for (const segment of this.#segments.filter(({ isDirty }) => isDirty)) {
      segment.isDirty = false;
      await this.#disk.syncData(segment.fd).catch(error => this.#stillThere(segment, error));
    }
    if (!this.#isFolderDirty) return;
    this.#isFolderDirty = false;
    await syncFolder(this.#folder);
  }

  close(): void {
    for (const { fd } of this.#segments) fs.closeSync(fd);
    this.#segments = [];
  }

  /** A segment that was deleted while it was on its way to the disk is nobody's worry. */
  #stillThere(segment: Segment, error: unknown): void {
    if (!this.#segments.includes(segment)) return;
    segment.isDirty = true;
    throw error;
  }

  #writable(): Segment {
    const last = this.#segments.at(-1);
    if (last && last.bytes < this.#maxBytes && !last.isSealed) return last;
    const file = path.join(this.#folder, `${String(++this.#opened).padStart(6, '0')}.jsonl`);
    const segment = { file, fd: this.#disk.openSync(file), start: this.end(), bytes: 0, isDirty: false, isSealed: false };
    this.#segments.push(segment);
    this.#isFolderDirty = true;
    return segment;
  }
}

/** A new file survives a loss of power only once its folder is on the disk. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The segments of any folder, oldest first. */
export function segmentFiles(folder: string): string[] {
  const names = fs.readdirSync(folder).filter(name => /^\d+\.jsonl$/.test(name));
  return names.sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10)).map(name => path.join(folder, name));
}
