//! Owns how work on the rows of a pass, or on the lanes of a frame, is shared between threads, and the trees that rows are taken into, one
//! for each thread. It knows nothing of what the work is; what comes of it does not depend on how many threads there are.

use std::panic::resume_unwind;
use std::thread::{Builder, scope};

use crate::codec::tree::Tree;
use crate::{Error, ErrorCode, Result};

/// Does `work` on each of `items`, in as many threads as there are `states`, each of which is one thread's own. Gives what came of them
/// in their order.
///
/// # Errors
/// That of the first item that has one; `unsupported` when a thread cannot be started.
pub fn map_in_threads<S, T, R>(
    states: &mut [S],
    items: Vec<T>,
    work: impl Fn(&mut S, T) -> Result<R> + Sync,
) -> Result<Vec<R>>
where
    S: Send,
    T: Send,
    R: Send,
{
    let stretch = items.len().div_ceil(states.len().max(1));
    let mut items = items.into_iter();
    let mut next = || items.by_ref().take(stretch).collect::<Vec<T>>();
    let (own, others) = states
        .split_first_mut()
        .ok_or_else(|| no_thread(&"none is asked for"))?;
    let first = next();
    let run = |state: &mut S, items: Vec<T>| {
        items
            .into_iter()
            .map(|item| work(state, item))
            .collect::<Result<Vec<R>>>()
    };
    scope(|scope| {
        let threads = others
            .iter_mut()
            .map(|state| (state, next()))
            .take_while(|(_, items)| !items.is_empty())
            .map(|(state, items)| Builder::new().spawn_scoped(scope, || run(state, items)))
            .collect::<std::io::Result<Vec<_>>>()
            .map_err(|error| no_thread(&error))?;
        let mut done = vec![run(own, first)];
        // All of them, so that a panic is seen for what it is even beside an error.
        done.extend(
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))),
        );
        let done: Vec<Vec<R>> = done.into_iter().collect::<Result<_>>()?;
        Ok(done.into_iter().flatten().collect())
    })
}

/// Trees for rows of one width, one for each thread that works on the rows of a pass.
#[derive(Debug)]
pub struct Trees {
    trees: Vec<Tree>,
    threads: usize,
}

impl Trees {
    /// Logits that are worth a thread: starting one takes longer than a row of fewer.
    const WORTH_A_THREAD: usize = 1 << 16;

    /// Trees for `vocab_size` ids, for as many as `threads` threads.
    pub fn new(vocab_size: usize, threads: usize) -> Self {
        Self {
            trees: vec![Tree::new(vocab_size)],
            threads,
        }
    }

    /// As many trees as threads are worth starting for so many rows.
    pub fn for_rows(&mut self, rows: usize) -> &mut [Tree] {
        let vocab_size = self.trees[0].vocab_size();
        let threads = (rows * vocab_size / Self::WORTH_A_THREAD)
            .min(rows)
            .clamp(1, self.threads.max(1));
        if self.trees.len() < threads {
            self.trees.resize_with(threads, || Tree::new(vocab_size));
        }
        &mut self.trees[..threads]
    }
}

fn no_thread(why: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorCode::Unsupported, format!("a thread cannot be started: {why}"))
        .with_hint("ask for fewer with --threads")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(threads: usize, count: usize, bad: &[usize]) {
        let mut states = vec![0; threads];
        let found = map_in_threads(&mut states, (0..count).collect(), |seen, item| {
            *seen += 1;
            if bad.contains(&item) {
                Err(Error::new(ErrorCode::Model, item.to_string()))
            } else {
                Ok(item * item)
            }
        });
        match bad.iter().min() {
            None => {
                assert_eq!(found.unwrap(), (0..count).map(|item| item * item).collect::<Vec<_>>());
                assert_eq!(states.iter().sum::<usize>(), count);
                assert!(states.iter().all(|&seen| seen <= count.div_ceil(threads)), "{states:?}");
            }
            Some(first) => assert_eq!(found.unwrap_err().message, first.to_string()),
        }
    }

    #[test]
    fn results_come_in_the_order_of_the_items_and_the_first_error_counts() {
        for threads in [1, 2, 3, 8] {
            for count in [0, 1, 2, 7, 64] {
                check(threads, count, &[]);
            }
            check(threads, 64, &[63, 20, 40]);
            check(threads, 64, &[0]);
        }
    }

    #[test]
    fn without_a_thread_nothing_is_done() {
        let none: &mut [()] = &mut [];
        let error = map_in_threads(none, vec![1], |(), _| Ok(())).unwrap_err();
        assert_eq!(error.code, ErrorCode::Unsupported);
    }

    #[test]
    #[should_panic(expected = "as it does here")]
    fn a_panic_of_a_thread_is_not_swallowed() {
        let _ = map_in_threads(&mut [(), ()], vec![1, 2], |(), item| {
            assert_ne!(item, 2, "as it does here");
            // Nor by an error that comes before it.
            Err::<(), _>(Error::new(ErrorCode::Model, "an error"))
        });
    }

    #[test]
    fn threads_are_started_where_they_are_worth_it() {
        let check = |vocab_size, threads, rows, wanted| {
            assert_eq!(Trees::new(vocab_size, threads).for_rows(rows).len(), wanted);
        };
        check(49_152, 2, 64, 2);
        check(49_152, 2, 1, 1);
        check(49_152, 1, 64, 1);
        check(49_152, 1024, 256, 192);
        check(1 << 20, 1024, 2, 2);
        check(600, 2, 64, 1);
        check(600, 2, 0, 1);
    }
}
