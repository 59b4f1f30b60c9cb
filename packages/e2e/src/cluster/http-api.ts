import { type ClusterResponse, clusterResponse } from '@fanfare/protocol';
import { TOLD } from '../clients/stock-client.ts';

/** What serves the public port. */
interface Server {
  url: string;
  apiKey: string;
}

/** `POST /v1/publish` of a `test:told`; the status of the answer. */
export const publish = async (
  { url, apiKey }: Server,
  publication: { room: string; data: unknown; namespace?: string },
): Promise<number> => {
  const response = await fetch(`${url}/v1/publish`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${apiKey}`,
      'content-type': 'application/json',
      // A kept connection may be closed by a reload of nginx in the moment in which it is used again.
      connection: 'close',
    },
    body: JSON.stringify({ event: TOLD, ...publication }),
  });
  return response.status;
};

/** `GET /v1/cluster` */
export const readCluster = async ({ url, apiKey }: Server): Promise<ClusterResponse> => {
  const response = await fetch(`${url}/v1/cluster`, { headers: { authorization: `Bearer ${apiKey}` } });
  return clusterResponse.parse(await response.json());
};

/** An order about a user; the status of the answer. */
export const order = async ({ url, apiKey }: Server, path: string, body: unknown): Promise<number> => {
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return response.status;
};
