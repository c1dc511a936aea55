//! Tokenizer and chat template, read at the first question on a thread of their own, so that training does not wait.

use std::sync::Arc;

use crossbeam_channel::{Receiver, TryRecvError, bounded};
use serde_json::json;

use spartui_data::{Arguments, ChatTemplate, Tokenizer};
use spartui_facts::error::{Error, Result};
use spartui_model::guarded;
use spartui_train::{ExtendedTokenizer, Session};

/// Converts text to tokens.
#[derive(Debug)]
pub struct Words {
    /// The model's tokenizer.
    pub tokenizer: Tokenizer,
    chat: Option<ChatTemplate>,
}

impl Words {
    /// The tokens of a conversation with this user message and an open assistant turn.
    pub fn chat(&self, text: &str) -> Result<Vec<u32>> {
        let Some(template) = &self.chat else {
            return Err(Error::refused("the model has no chat template; ask about a text"));
        };
        let messages = json!([{"role": "user", "content": text}]);
        let text = template.render(&messages, true).map_err(|why| Error::refused(format!("the message {why}")))?;
        Ok(self.tokenizer.encode_with_offsets(&text, false)?.ids)
    }
}

/// The state of the reading.
#[derive(Debug, Default)]
pub enum Reading {
    /// Not requested yet.
    #[default]
    NotBegun,
    /// In progress.
    UnderWay(Receiver<Result<Words>>),
    /// Finished or failed.
    Done(std::result::Result<Arc<Words>, String>),
}

impl Reading {
    /// The result; none while in progress.
    pub fn words(&mut self, session: &Session) -> Option<std::result::Result<Arc<Words>, String>> {
        match self {
            Self::NotBegun => {
                let (sender, receiver) = bounded(1);
                let folder = session.folder.clone();
                let arguments = Arguments::of_recipe(&session.recipe.data.template_arguments);
                let new_tokens = session.recipe.model.new_tokens.clone();
                std::thread::spawn(move || {
                    let read = guarded(|| {
                        let tokenizer = ExtendedTokenizer::read(&folder, &new_tokens)?.tokenizer;
                        let chat = ChatTemplate::load(&folder)?;
                        Ok(Words { tokenizer, chat: chat.map(|chat| chat.with_arguments(&arguments)) })
                    });
                    // After the end of the run there is no receiver.
                    let _ = sender.send(read);
                });
                *self = Self::UnderWay(receiver);
                None
            }
            Self::UnderWay(receiver) => {
                let done = match receiver.try_recv() {
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
                // The user may have fixed the cause before the next question.
                *self = Self::NotBegun;
                Some(Err(why))
            }
        }
    }
}
