/**
 * What stands for an address in a limit: an IPv4 address itself, of an IPv6 one the first 64 bits, as whoever has one
 * has 2^64 of them.
 */
export const addressKey = (address: string): string => {
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.split('::');
  const groups = head === '' ? [] : head.split(':');
  const missing = tail === undefined ? 0 : 8 - groups.length - (tail === '' ? 0 : tail.split(':').length);
  const filled = [...groups, ...Array.from({ length: missing }, () => '0'), ...(tail?.split(':') ?? [])];
  return `${filled.slice(0, 4).join(':')}::/64`;
};
