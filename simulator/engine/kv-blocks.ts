// The KV cache of one engine: a fixed number of blocks, shared by sequences with the same prefix. As vLLM's block pool: a block that
// nobody uses keeps its content until it is needed for something else, the longest unused first.

/** What a full block holds: a digest of its tokens and of everything before them. */
export type BlockHash = string;

type Block = { users: number; hash: BlockHash | undefined };

export class KvBlocks {
  readonly #blocks: Block[];
  /** Blocks without users in the order in which they are taken. */
  readonly #free: Set<number>;
  readonly #holding = new Map<BlockHash, number>();

  constructor(count: number) {
    this.#blocks = Array.from({ length: count }, () => ({ users: 0, hash: undefined }));
    this.#free = new Set(this.#blocks.keys());
  }

  get total(): number {
    return this.#blocks.length;
  }

  get free(): number {
    return this.#free.size;
  }

  /** Share of the blocks that have users, 0 to 1: what the engine calls its KV usage. */
  get usage(): number {
    return 1 - this.free / this.total;
  }

  /** The blocks that already hold the beginning of `hashes`. */
  held(hashes: readonly BlockHash[]): number[] {
    const found: number[] = [];
    for (const hash of hashes) {
      const block = this.#holding.get(hash);
      if (block === undefined) break;
      found.push(block);
    }
    return found;
  }

  /** `reused` get one more user, and `count` blocks are taken besides. Undefined, and nothing has changed, when there are too few. */
  allocate(reused: readonly number[], count: number): number[] | undefined {
    const wakened = reused.reduce((sum, block) => sum + (this.#blocks[block]!.users === 0 ? 1 : 0), 0);
    if (count > this.free - wakened) return undefined;
    for (const block of reused) {
      this.#free.delete(block);
      this.#blocks[block]!.users += 1;
    }
    return [...reused, ...Array.from({ length: count }, () => this.#take())];
  }

  #take(): number {
    const [index] = this.#free;
    this.#free.delete(index!);
    const block = this.#blocks[index!]!;
    if (block.hash !== undefined) this.#holding.delete(block.hash);
    block.hash = undefined;
    block.users = 1;
    return index!;
  }

  /** The block is full: others with the same beginning can use it. Of two equal ones the first is found. */
  seal(block: number, hash: BlockHash): void {
    if (this.#holding.has(hash)) return;
    this.#blocks[block]!.hash = hash;
    this.#holding.set(hash, block);
  }

  /** A sequence's blocks in its order: the end of a sequence is overwritten before its beginning. */
  release(blocks: readonly number[]): void {
    for (const index of blocks.toReversed()) {
      const block = this.#blocks[index]!;
      block.users -= 1;
      if (block.users === 0) this.#free.add(index);
    }
  }

  /** Forgets all content, as a sleeping engine does. Only while nobody uses a block. */
  forget(): void {
    this.#holding.clear();
    for (const block of this.#blocks) block.hash = undefined;
  }
}
