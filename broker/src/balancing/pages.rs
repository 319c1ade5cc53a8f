//! Texts that are larger than a call between brokers may be, told in pages.
//!
//! | bytes | what is asked | what is answered |
//! | ---: | --- | --- |
//! | 8 | number of the text; 0: a new one | number of the text |
//! | 8 | where the page begins, in bytes | length of the text |
//! | n | | the page |
//!
//! Numbers are big-endian. An answer without any bytes: the text isn't known any more.
//!
//! Must always hold: all pages are of the same text; what is kept for those who ask is bounded,
//! and is gone a while after the last has asked.

use std::collections::VecDeque;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

/// The most bytes of a page.
pub(super) const PAGE_BYTES_MAX: usize = 8 << 20;
/// How many texts are kept, and for how many milliseconds since somebody asked.
const TEXTS_MAX: usize = 2;
const KEPT_MS: u64 = 60_000;
/// How often is begun anew.
const ATTEMPTS_MAX: usize = 3;
/// The most bytes of a whole text.
const TEXT_BYTES_MAX: u64 = 256 << 20;

/// Which page is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct PageOf {
    /// The text; 0 for a new one.
    pub(crate) number: u64,
    pub(crate) offset: u64,
}

/// A page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    number: u64,
    /// Of the whole text.
    length: u64,
    bytes: Bytes,
}

impl Page {
    pub(super) fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(16 + self.bytes.len());
        out.put_u64(self.number);
        out.put_u64(self.length);
        out.put_slice(&self.bytes);
        out.freeze()
    }

    /// `None` for bytes that are no page.
    fn decode(mut bytes: Bytes) -> Option<Self> {
        let (number, length) = (bytes.try_get_u64().ok()?, bytes.try_get_u64().ok()?);
        Some(Self { number, length, bytes })
    }
}

/// The texts that somebody is reading.
#[derive(Debug, Default)]
pub(super) struct Pages {
    /// With when they were asked for last, in milliseconds.
    texts: VecDeque<(u64, u64, Bytes)>,
    last_number: u64,
}

impl Pages {
    /// The first page of a text.
    pub(super) fn begin(&mut self, text: String, most: usize, now: u64) -> Page {
        self.last_number += 1;
        let (number, text) = (self.last_number, Bytes::from(text));
        let page = page(number, &text, 0, most);
        if page.bytes.len() < text.len() {
            self.texts.truncate(TEXTS_MAX - 1);
            self.texts.push_front((number, now, text));
        }
        page
    }

    /// Another page of one that was begun, `None` where it isn't known.
    pub(super) fn go_on(&mut self, of: PageOf, most: usize, now: u64) -> Option<Page> {
        let place = self.texts.iter().position(|(number, ..)| *number == of.number)?;
        let (number, at, text) = &mut self.texts[place];
        *at = now;
        let offset = usize::try_from(of.offset).ok().filter(|it| *it < text.len())?;
        let page = page(*number, text, offset, most);
        if offset + page.bytes.len() == text.len() {
            self.texts.remove(place);
        }
        Some(page)
    }

    /// Forgets what nobody asks for any more.
    pub(super) fn forget(&mut self, now: u64) {
        self.texts.retain(|(_, at, _)| now < at + KEPT_MS);
    }
}

fn page(number: u64, text: &Bytes, offset: usize, most: usize) -> Page {
    let end = text.len().min(offset.saturating_add(most));
    Page { number, length: text.len() as u64, bytes: text.slice(offset..end) }
}

/// Asks for all pages of a text.
///
/// # Errors
/// Those of `ask`, and why what came is no text, in words.
pub(super) async fn gather<F: Future<Output = Result<Bytes, String>>>(
    mut ask: impl FnMut(PageOf) -> F,
) -> Result<String, String> {
    'anew: for _ in 0..ATTEMPTS_MAX {
        let (mut of, mut text) = (PageOf::default(), Vec::new());
        loop {
            let answer = ask(of).await?;
            if answer.is_empty() {
                // Another broker decides, or others have asked for so much.
                continue 'anew;
            }
            let page = Page::decode(answer).filter(|page| {
                let is_same = of.number == 0 || page.number == of.number;
                let end = of.offset + page.bytes.len() as u64;
                let goes_on = !page.bytes.is_empty() || page.length == 0;
                is_same && goes_on && end <= page.length && page.length <= TEXT_BYTES_MAX
            });
            let Some(page) = page else { return Err("the answer is no page".to_owned()) };
            text.extend_from_slice(&page.bytes);
            of = PageOf { number: page.number, offset: text.len() as u64 };
            if of.offset == page.length {
                return Ok(String::from_utf8_lossy(&text).into_owned());
            }
        }
    }
    Err("what is known changes hands too often; ask again".to_owned())
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use super::*;

    /// Longer than some pages, and not a multiple of one.
    const TEXT: &str = "snapshot 1\nbroker 1\nbroker 2\n";
    const MOST: usize = 10;

    fn gathered(
        mut pages: impl FnMut(PageOf) -> Option<Page>,
    ) -> (Result<String, String>, Vec<PageOf>) {
        let mut asked = Vec::new();
        let text = gather(|of| {
            asked.push(of);
            ready(Ok(pages(of).map(|page| page.encode()).unwrap_or_default()))
        });
        let text = at_once(text);
        (text, asked)
    }

    /// What is ready at once.
    fn at_once<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(future)
    }

    fn told(pages: &mut Pages, of: PageOf) -> Option<Page> {
        if of.number == 0 {
            return Some(pages.begin(TEXT.to_owned(), MOST, 0));
        }
        pages.go_on(of, MOST, 0)
    }

    #[test]
    fn a_text_is_put_together_of_its_pages_and_forgotten_then() {
        let mut pages = Pages::default();
        let (text, asked) = gathered(|of| told(&mut pages, of));
        assert_eq!(text.as_deref(), Ok(TEXT));
        assert_eq!(asked.iter().map(|it| it.offset).collect::<Vec<_>>(), [0, 10, 20]);
        assert!(pages.texts.is_empty());
        assert_eq!(gathered(|_| Some(pages.begin(String::new(), MOST, 0))).0.as_deref(), Ok(""));
    }

    #[test]
    fn who_loses_its_text_on_the_way_begins_anew() {
        let mut pages = Pages::default();
        let mut turns = 0;
        let (text, asked) = gathered(|of| {
            turns += 1;
            if turns == 2 {
                // Two others ask for theirs.
                (0..TEXTS_MAX).for_each(|_| _ = pages.begin(TEXT.to_owned(), MOST, 0));
            }
            told(&mut pages, of)
        });
        assert_eq!(text.as_deref(), Ok(TEXT));
        assert_eq!(asked.len(), 2 + 3);
        assert_eq!(pages.texts.len(), TEXTS_MAX - 1, "the one that was begun twice is gone");
        let (text, asked) = gathered(|_| None);
        assert_eq!((text.is_err(), asked.len()), (true, ATTEMPTS_MAX));
    }

    #[test]
    fn what_nobody_asks_for_is_forgotten_after_a_while() {
        let mut pages = Pages::default();
        let first = pages.begin(TEXT.to_owned(), MOST, 0);
        pages.forget(KEPT_MS - 1);
        let of = PageOf { number: first.number, offset: 10 };
        assert!(pages.go_on(of, MOST, KEPT_MS - 1).is_some());
        pages.forget(KEPT_MS + 1);
        assert!(pages.go_on(of, MOST, KEPT_MS + 1).is_some(), "it was asked for");
        pages.forget(KEPT_MS * 3);
        assert_eq!(pages.go_on(of, MOST, KEPT_MS * 3), None);
    }

    #[test]
    fn what_is_no_page_of_the_text_ends_it() {
        let strange = |page: Page| gathered(|_| Some(page.clone())).0.unwrap_err();
        let page = Page { number: 1, length: 10, bytes: Bytes::from_static(b"12345678901") };
        assert_eq!(strange(page.clone()), "the answer is no page", "more than there is");
        let nothing = Page { bytes: Bytes::new(), ..page.clone() };
        assert_eq!(strange(nothing), "the answer is no page", "it would never end");
        let endless = Page { length: TEXT_BYTES_MAX + 1, ..page };
        assert_eq!(strange(endless), "the answer is no page");
        let mut number = 0;
        let (text, _) = gathered(|_| {
            number += 1;
            Some(Page { number, length: 10, bytes: Bytes::from_static(b"1234") })
        });
        assert_eq!(text.unwrap_err(), "the answer is no page", "of another text");
    }
}
