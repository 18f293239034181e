"""Reading answers: what a model wrote becomes an order, a choice or grades, or it becomes nothing.

An answer is made plain (`characters`), cut once into lines and items (`lexer`, `names`), and shown to a fixed list of
forms, a file each. A form says where it stands in the answer and what it means. `order`, `choice` and `grading` decide
between what the forms found. What fits no form is no answer. All of it takes time linear in the length of the text.
"""
