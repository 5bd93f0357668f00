import type { Signal } from '@preact/signals';
import { useEffect, useState } from 'preact/hooks';
import { type Followed, link, type Topic } from '../link.js';

/** Follows a topic while the part of the page that asks for it is shown. */
export function useTopic({ channel, market, meterId, filter }: Topic): Signal<Followed> | undefined {
  const [news, setNews] = useState<Signal<Followed>>();
  useEffect(() => {
    const followed = link.follow({
      channel,
      ...(market !== undefined && { market }),
      ...(meterId !== undefined && { meterId }),
      ...(filter !== undefined && { filter }),
    });
    setNews(followed.news);
    return followed.end;
  }, [channel, market, meterId, JSON.stringify(filter)]);
  return news;
}
