"""What an answer's course tells of its quality, without anybody's click and without any text kept: `chatbot.answer.signals`."""
