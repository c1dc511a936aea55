//! Tokenizer and chat template, read when the first question is asked, on a thread of their own: training does not wait.

use std::sync::Arc;

use crossbeam_channel::{Receiver, TryRecvError, bounded};
use serde_json::json;

use crate::data::{Arguments, ChatTemplate, Tokenizer};
use crate::error::{Error, Result};
use crate::model::guarded;
use crate::train::Session;

/// What makes tokens of a text.
#[derive(Debug)]
pub struct Words {
    /// The model's tokenizer.
    pub tokenizer: Tokenizer,
    chat: Option<ChatTemplate>,
}

impl Words {
    /// The tokens of a conversation in which a user has said this and the assistant is to answer.
    pub fn chat(&self, text: &str) -> Result<Vec<u32>> {
        let Some(template) = &self.chat else {
            return Err(Error::refused("the model has no chat template; ask about a text"));
        };
        let messages = json!([{"role": "user", "content": text}]);
        let text = template.render(&messages, true).map_err(|why| Error::refused(format!("the message {why}")))?;
        Ok(self.tokenizer.encode_with_offsets(&text, false)?.ids)
    }
}

/// How far the reading is.
#[derive(Debug, Default)]
pub enum Reading {
    /// Nobody has asked yet.
    #[default]
    NotBegun,
    /// Under way.
    UnderWay(Receiver<Result<Words>>),
    /// Done, well or not.
    Done(std::result::Result<Arc<Words>, String>),
}

impl Reading {
    /// What was read; none while that is under way.
    pub fn words(&mut self, session: &Session) -> Option<std::result::Result<Arc<Words>, String>> {
        match self {
            Self::NotBegun => {
                let (tell, told) = bounded(1);
                let folder = session.folder.clone();
                let arguments = Arguments::of_recipe(&session.recipe.data.template_arguments);
                let vocabulary = usize::try_from(session.model.config.vocab_size).unwrap_or(0);
                std::thread::spawn(move || {
                    let read = guarded(|| {
                        let tokenizer = Tokenizer::load(&folder, vocabulary)?;
                        let chat = ChatTemplate::load(&folder)?;
                        Ok(Words { tokenizer, chat: chat.map(|chat| chat.with_arguments(&arguments)) })
                    });
                    // Where the run has ended, nobody needs it any more.
                    let _ = tell.send(read);
                });
                *self = Self::UnderWay(told);
                None
            }
            Self::UnderWay(told) => {
                let done = match told.try_recv() {
                    Ok(read) => read.map(Arc::new).map_err(|error| error.message().to_owned()),
                    Err(TryRecvError::Empty) => return None,
                    Err(TryRecvError::Disconnected) => Err("the tokenizer could not be read; ask again".into()),
                };
                *self = Self::Done(done.clone());
                Some(done)
            }
            Self::Done(Ok(words)) => Some(Ok(Arc::clone(words))),
            Self::Done(Err(why)) => {
                let why = why.clone();
                // Whoever asks again may have fixed it.
                *self = Self::NotBegun;
                Some(Err(why))
            }
        }
    }
}
