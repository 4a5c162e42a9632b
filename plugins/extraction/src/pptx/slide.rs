//! Walks through the elements of a slide.

use std::collections::HashMap;

use crate::failure::Stop;
use crate::opc::Relationship;
use crate::writer::{Block, Style, Writer};
use crate::xml::Element;

/// Most bytes of a slide's name.
const MAX_NAME: usize = 1000;

/// What a shape is for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Role {
    #[default]
    Other,
    Title,
    /// The list that most slides are.
    Body,
    /// The date, the slide's number and what all slides have below.
    Repeated,
}

pub(super) struct Slide<'w, 'p, 's> {
    writer: &'w mut Writer<'p, 's>,
    relationships: &'w HashMap<String, Relationship>,
    role: Role,
    title: String,
    level: usize,
    /// Whether the paragraph says that it has a bullet, or that it has none.
    bullet: Option<bool>,
    style: Style,
    in_text: bool,
    in_link: bool,
}

impl<'w, 'p, 's> Slide<'w, 'p, 's> {
    pub(super) fn new(writer: &'w mut Writer<'p, 's>, relationships: &'w HashMap<String, Relationship>) -> Self {
        Self {
            writer,
            relationships,
            role: Role::Other,
            title: String::new(),
            level: 0,
            bullet: None,
            style: Style::default(),
            in_text: false,
            in_link: false,
        }
    }

    pub(super) fn text(&mut self, text: &str) {
        if !self.in_text || self.role == Role::Repeated {
            return;
        }
        if self.role == Role::Title && self.title.len() < MAX_NAME {
            self.title.push_str(text);
        }
        self.writer.text(text, self.style);
    }

    /// True says that the element is left out.
    pub(super) fn open(&mut self, element: &Element<'_>) -> Result<bool, Stop> {
        match element.name() {
            "Fallback" => return Ok(true),
            "sp" | "graphicFrame" => self.role = Role::Other,
            "ph" => self.role = role_of(element.attribute("type").as_deref()),
            "p" => {
                self.level = 0;
                self.bullet = None;
            }
            "pPr" => self.level = element.number("lvl").unwrap_or(0),
            "buNone" => self.bullet = Some(false),
            "buChar" | "buAutoNum" | "buBlip" => self.bullet = Some(true),
            "r" | "fld" => self.style = Style::default(),
            "rPr" => {
                let is_on = |name| element.attribute(name).is_some_and(|value| value == "1" || value == "true");
                let strike = element.attribute("strike").is_some_and(|value| value != "noStrike");
                self.style = Style { bold: is_on("b"), italic: is_on("i"), strike, code: false };
                if self.role == Role::Title {
                    self.style = Style::default();
                }
            }
            "hlinkClick" if !self.in_link => {
                let target = element.prefixed("id").and_then(|id| self.relationships.get(&id));
                if let Some(target) = target.filter(|target| target.is_external) {
                    self.writer.begin_link(&target.target);
                    self.in_link = true;
                }
            }
            "t" => self.in_text = true,
            "br" => self.writer.line_break(),
            "tbl" => self.writer.begin_table()?,
            "tr" => self.writer.begin_row()?,
            "tc" => self.writer.begin_cell()?,
            "blip" => self.writer.picture(),
            _ => {}
        }
        Ok(false)
    }

    pub(super) fn close(&mut self, name: &str) -> Result<(), Stop> {
        match name {
            "t" => self.in_text = false,
            "r" | "fld" if self.in_link => {
                self.writer.end_link();
                self.in_link = false;
            }
            "p" => self.end_paragraph()?,
            "sp" => {
                if self.role == Role::Title {
                    self.writer.set_name(Some(self.title.clone()));
                }
                self.role = Role::Other;
            }
            "tc" => self.writer.end_cell()?,
            "tr" => self.writer.end_row()?,
            "tbl" => self.writer.end_table()?,
            _ => {}
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<(), Stop> {
        self.writer.end(Block::Paragraph)?;
        while self.writer.in_table() {
            self.writer.end_table()?;
        }
        Ok(())
    }

    fn end_paragraph(&mut self) -> Result<(), Stop> {
        if self.role == Role::Title {
            self.title.push(' ');
            return self.writer.end(Block::Heading(1));
        }
        let is_item = self.bullet.unwrap_or(self.role == Role::Body) && !self.writer.in_table();
        let block = if is_item { Block::Item { level: self.level, number: None } } else { Block::Paragraph };
        self.writer.end(block)
    }
}

fn role_of(kind: Option<&str>) -> Role {
    match kind {
        Some("title" | "ctrTitle") => Role::Title,
        None | Some("body" | "obj") => Role::Body,
        Some("dt" | "ftr" | "hdr" | "sldNum") => Role::Repeated,
        Some(_) => Role::Other,
    }
}
