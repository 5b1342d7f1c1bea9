//! Sign-up forms of an audience.

use crate::record::record;

record! {
    /// A sign-up form.
    SignupForm {
        /// Picture and words at its top.
        header: SignupFormHeader,
        /// Its texts.
        contents: Vec<SignupFormText>,
        /// Its looks.
        styles: Vec<SignupFormStyle>,
        /// Where it is.
        signup_form_url: String,
        /// The audience.
        list_id: String,
    }
}

record! {
    /// Picture and words at the top of a form.
    SignupFormHeader {
        /// Address of the picture.
        image_url: String,
        /// Words.
        text: String,
        /// Width of the picture in pixels, which the API sends as text.
        image_width: String,
        /// Height of the picture in pixels, which the API sends as text.
        image_height: String,
        /// Words in place of the picture.
        image_alt: String,
        /// Where the picture leads.
        image_link: String,
        /// Where the picture stands.
        image_align: String,
        /// Width of its border.
        image_border_width: String,
        /// Style of its border.
        image_border_style: String,
        /// Colour of its border.
        image_border_color: String,
        /// Where its link opens; `null` for the same window.
        image_target: String,
    }
}

record! {
    /// A text of a form.
    SignupFormText {
        /// Where it stands: `signup_message`, `unsub_message`, `signup_thank_you_title`.
        section: String,
        /// The text, as HTML.
        value: String,
    }
}

record! {
    /// Looks of one part of a form.
    SignupFormStyle {
        /// The part, such as `page_header`.
        selector: String,
        /// CSS of the part.
        options: Vec<SignupFormOption>,
    }
}

record! {
    /// One line of CSS.
    SignupFormOption {
        /// Name of the property.
        property: String,
        /// Its value.
        value: String,
    }
}
